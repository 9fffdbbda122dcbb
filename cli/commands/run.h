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

}  // namespace cli
