#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"

namespace cli {

// "500ms", "1.5s", "1m30s", "2h": one or more numbers with a unit (h m s ms us ns), as Go and Fortio write them.
base::Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace cli
