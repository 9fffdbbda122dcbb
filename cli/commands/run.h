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

// What the agent's own help says; empty when it cannot be started.
std::string agent_help();

}  // namespace cli
