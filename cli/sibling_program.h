#pragma once

#include <string>

namespace cli {

// The program of this name beside the running one, or the bare name for a search in PATH.
std::string sibling_program(const std::string& name);

}  // namespace cli
