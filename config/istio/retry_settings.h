#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "config/istio/common.h"

namespace config::istio {

// The `retries` block of a rule, and the default of all rules in Settings.
std::span<const Field> retry_fields();
// REQUIRES: `node` was checked against retry_fields().
RetrySettings read_retries(const Node& node, Report& report);

// Bits of RetryOn as they are written.
std::vector<std::string_view> retry_on_words(std::uint32_t bits);

}  // namespace config::istio
