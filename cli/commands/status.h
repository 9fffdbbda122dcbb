#pragma once

#include <cstdint>
#include <string>

#include "base/socket_address.h"
#include "cli/admin/client.h"
#include "cli/admin/node_view.h"
#include "cli/terminal.h"

namespace cli {

enum class OutputFormat : std::uint8_t { table, json };

struct StatusOptions {
  std::string admin = admin::kDefaultAddress;
  OutputFormat format = OutputFormat::table;
};

// Is everything as its operator wants it? 1 when the proxy is down or behind, an instance is in error, or a document
// was rejected.
int run_status(const StatusOptions& options, const Terminal& terminal);

std::string status_text(const admin::NodeView& node, const Terminal& terminal);
bool is_healthy(const admin::NodeView& node);

}  // namespace cli
