#pragma once

#include <string_view>

#include "cli/terminal.h"

namespace cli {

// Of the state of a pod or a policy.
Colour colour_of(std::string_view state);

}  // namespace cli
