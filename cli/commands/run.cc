#include "cli/commands/run.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/exit_code.h"
#include "cli/process.h"
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

std::string agent_help() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const base::UniqueFd reader(ends[0]);
  base::UniqueFd writer(ends[1]);
  auto agent = Process::start({.arguments = {sibling_program("fairlead-agent"), "--help"}, .stdout_fd = writer.get()});
  writer.reset();
  std::string text;
  std::array<char, 4096> chunk{};
  for (ssize_t size = 0; agent && (size = ::read(reader.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  if (agent) agent->wait(base::now() + std::chrono::seconds(1));
  return text;
}

}  // namespace cli
