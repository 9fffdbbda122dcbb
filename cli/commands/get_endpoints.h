#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/admin/node_view.h"
#include "cli/commands/status.h"
#include "cli/terminal.h"

namespace cli {

struct GetEndpointsOptions {
  std::string admin = admin::kDefaultAddress;
  OutputFormat format = OutputFormat::table;
  std::string service;  // part of its name; empty: all
};

int run_get_endpoints(const GetEndpointsOptions& options, const Terminal& terminal);

// `now`: for the time of day at which an ejected endpoint returns.
std::string endpoints_text(const std::vector<admin::BackendView>& backends, const std::string& service,
                           base::WallTime now, const Terminal& terminal);

// 90'500 ms: "1m31s", rounded up to whole seconds.
std::string short_duration(std::chrono::milliseconds duration);

}  // namespace cli
