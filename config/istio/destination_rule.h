#pragma once

#include <span>

#include "config/istio/common.h"

namespace config::istio {

std::span<const Field> destination_rule_fields();

// REQUIRES: `spec` was checked against destination_rule_fields() without an error.
DestinationRule read_destination_rule(const Node& spec, const Context& context, Report& report);

}  // namespace config::istio
