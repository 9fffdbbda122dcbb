#pragma once

#include <chrono>
#include <string>

namespace cli {

// 90'500 ms: "1m31s", rounded up to whole seconds.
std::string short_duration(std::chrono::milliseconds duration);

// As a policy writes it: "300ms", "2s", "1500ms", "1m30s".
std::string exact_duration(std::chrono::milliseconds duration);

}  // namespace cli
