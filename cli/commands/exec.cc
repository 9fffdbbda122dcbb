#include "cli/commands/exec.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "base/clock.h"
#include "cli/exec/placement.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/process.h"

namespace cli {
namespace {

// What a shell answers for a command that it cannot start.
constexpr int kCannotExecute = 126;
constexpr int kCommandNotFound = 127;

int complain(const base::Error& error, int exit_code) {
  std::fprintf(stderr, "fairlead exec: %s\n", error.message.c_str());
  return exit_code;
}

}  // namespace

int run_exec(const ExecOptions& options) {
  const auto address = base::SocketAddress::parse(options.admin);
  if (!address) return complain({base::Errc::invalid, "--admin: " + address.error().message}, kUsage);
  watch_interrupts();
  const auto placement =
      exec::Placement::prepare(*address, options.name_space, options.workload, "exec-" + std::to_string(::getpid()));
  if (!placement) return complain(placement.error(), kUsage);
  ProcessSpec spec{.arguments = options.command};
  placement->apply_to(spec);
  spec.ends_with_us = true;
  auto process = Process::start(spec);
  if (!process) {
    return complain(process.error(), process.error().code == base::Errc::not_found ? kCommandNotFound : kCannotExecute);
  }
  pass_interrupts_to(process->pid());
  std::optional<int> exit_code;
  while (!exit_code) exit_code = process->wait(base::now() + std::chrono::hours(1));
  return *exit_code;
}

}  // namespace cli
