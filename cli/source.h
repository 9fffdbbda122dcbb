#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/admin/client.h"
#include "cli/cluster/connection.h"
#include "cli/fleet.h"

namespace cli {

enum class OutputFormat : std::uint8_t { table, json };

// Whom to ask: the agent of this host, or those of a cluster.
struct Source {
  std::string admin = admin::kDefaultAddress;
  std::optional<cluster::Options> cluster;  // takes precedence
};

struct Answers {
  Fleet fleet;
  std::string name_space;  // that lists are limited to; empty: all
};

// Errc::invalid: the question was wrong.
base::Result<Answers> ask(const Source& source);

// The exit code after the message was printed: of `command`, such as "get workloads".
int refuse(const std::string& command, const base::Error& error);

}  // namespace cli
