#pragma once

#include <string>

#include "cli/admin/node_view.h"
#include "cli/terminal.h"

namespace cli {

// The proxy, the workloads and the policies of this host.
std::string status_text(const admin::NodeView& node, const Terminal& terminal);

// The proxy is up and has what the agent has, no instance is in error, no document rejected.
bool is_healthy(const admin::NodeView& node);

}  // namespace cli
