#pragma once

#include <string>

#include "cli/fleet.h"
#include "cli/terminal.h"

// What a command prints, from what the agents say: pure.
namespace cli {

// Nodes, pods that are not captured and why, watches with errors, policies that are not wholly in force.
std::string cluster_status_text(const Fleet& fleet, const Terminal& terminal);

// Every node has an agent and a proxy that is up and has what the agent has; no pod is in error, no document rejected,
// no watch fails.
bool is_healthy(const Fleet& fleet);

}  // namespace cli
