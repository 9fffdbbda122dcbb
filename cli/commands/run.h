#pragma once

#include <string>
#include <vector>

namespace cli {

// Everything after `run` is the agent's.
struct RunOptions {
  std::vector<std::string> arguments;
};

// Becomes the agent (fairlead-agent beside this program, else in PATH); returns only when it cannot.
int run_agent(const RunOptions& options);

// The program of this name beside the running one, or the bare name for a search in PATH.
std::string sibling_program(const std::string& name);

}  // namespace cli
