#pragma once

#include <chrono>

// Only clock.cc reads a clock; everything that decides takes the time as an argument.
namespace base {

using TimePoint = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

TimePoint now();
WallTime wall_now();

}  // namespace base
