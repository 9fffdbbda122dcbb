#pragma once

#include "config/istio/common.h"

namespace config::istio {

// A token of RFC 9110, or one of the pseudo-headers that a condition may name.
bool is_header_name(std::string_view name);

// Whether `name` is another word for Host.
bool is_authority(std::string_view name);

// `headers` of a rule or of one of its destinations.
void check_header_operations(const Node& node, Report& report);

}  // namespace config::istio
