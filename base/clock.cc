#include "base/clock.h"

namespace base {

TimePoint now() { return std::chrono::steady_clock::now(); }
WallTime wall_now() { return std::chrono::system_clock::now(); }

}  // namespace base
