#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cli/command_line.h"

namespace cli {

enum class Shell : std::uint8_t { bash, zsh, fish };

// A script for the shell that completes commands, their choices and options. Made from the same descriptions as the
// parser, so it cannot fall behind.
std::string completion_script(Shell shell, std::span<const CommandDescription> commands);

}  // namespace cli
