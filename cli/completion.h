#pragma once

#include <span>
#include <string>

#include "cli/command_line.h"

namespace cli {

// A script for the shell that completes commands, their choices and options. Made from the same descriptions as the
// parser, so it cannot fall behind.
std::string completion_script(Shell shell, std::span<const CommandDescription> commands);

}  // namespace cli
