#include "cli/commands/run.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/exit_code.h"
#include "cli/sibling_program.h"

namespace cli {

int run_agent(const RunOptions& options) {
  const std::string program = sibling_program("fairlead-agent");
  std::string shown_name = "fairlead run";  // so that the agent's help and errors name what was typed
  std::vector<char*> arguments{shown_name.data()};
  auto words = options.arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(program.c_str(), arguments.data());
  std::fprintf(stderr, "fairlead run: cannot start %s: %s; it belongs beside fairlead\n", program.c_str(),
               std::strerror(errno));
  return kUsage;
}

}  // namespace cli
