#pragma once

#include <set>
#include <string>
#include <string_view>

#include "cli/fleet.h"
#include "cli/terminal.h"

namespace cli {

// Hosts of the services that `name` means: a host, name.namespace, or a name in `name_space` (empty: any).
std::set<std::string> find_services(const Fleet& fleet, std::string_view name, std::string_view name_space);

// What is enforced on the way to a service, for each kind of callers, with the documents it comes from.
std::string describe_service(const Fleet& fleet, const std::string& host, const Terminal& terminal);

}  // namespace cli
