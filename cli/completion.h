#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command_line.h"

namespace cli {

// A script for the shell that completes commands, their choices and options. Made from the same descriptions as the
// parser, so it cannot fall behind.
std::string completion_script(Shell shell, std::span<const CommandDescription> commands);

// Of a program whose parser is not at hand, from its --help: each option's long name and its text.
std::vector<std::pair<std::string, std::string>> options_in_help(std::string_view help);

}  // namespace cli
