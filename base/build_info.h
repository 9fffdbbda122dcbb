#pragma once

#include <string_view>

namespace base {

// Of the project, as CMakeLists.txt has it. Agent and proxy of different versions may meet during an upgrade.
inline constexpr std::string_view kVersion = FAIRLEAD_VERSION;

}  // namespace base
