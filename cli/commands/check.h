#pragma once

#include "cli/terminal.h"

namespace cli {

struct CheckOptions {};

// Prints one line for each thing the redirected mode needs, and what to do where it is missing.
int run_check(const CheckOptions& options, const Terminal& terminal);

}  // namespace cli
