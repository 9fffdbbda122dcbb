#pragma once

#include <span>

#include "config/istio/common.h"

namespace config::istio {

// The `retries` block of a rule, and the default of all rules in Settings.
std::span<const Field> retry_fields();
// REQUIRES: `node` was checked against retry_fields().
RetrySettings read_retries(const Node& node, Report& report);

}  // namespace config::istio
