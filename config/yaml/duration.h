#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace config::yaml {

// The grammar of Istio and Go: one or more decimal numbers, each with a unit of h, m, s, ms, us or ns; "0.5s", "1h2m".
// The error says what is wrong and what to write instead; it does not name the field.
tl::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);

}  // namespace config::yaml
