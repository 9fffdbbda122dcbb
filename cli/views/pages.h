#pragma once

#include <string>
#include <string_view>

#include "cli/fleet.h"

// The same as the tables show, as JSON for programs: what the agents said, by node.
namespace cli {

// {"nodes": [{"node", "agent", "error", "config_dump"}]}
std::string status_json(const Fleet& fleet);

// {"nodes": [{"node", `part`: [...]}]}: `part` is "pods", "services" or "policies" of config_dump, or "clusters". Only
// objects of `name_space`, unless it is empty or they name none.
std::string part_json(const Fleet& fleet, std::string_view part, std::string_view name_space);

}  // namespace cli
