#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/commands/version.h"
#include "cli/completion.h"

namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

int print_completion(const cli::CompletionCommand& command) {
  const auto shell = command.shell == "bash"  ? cli::Shell::bash
                     : command.shell == "zsh" ? cli::Shell::zsh
                                              : cli::Shell::fish;
  std::fputs(cli::completion_script(shell, cli::describe_commands()).c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto terminal = cli::Terminal::of(STDOUT_FILENO);
  return std::visit(
      Overloaded{
          [](const cli::Message& message) {
            std::fputs(message.text.c_str(), message.exit_code == 0 ? stdout : stderr);
            return message.exit_code;
          },
          [](const cli::VersionCommand&) { return cli::run_version(); },
          [](const cli::CompletionCommand& command) { return print_completion(command); },
          [](const cli::RunOptions& options) { return cli::run_agent(options); },
          [](const cli::ExecOptions& options) { return cli::run_exec(options); },
          [&](const cli::StatusOptions& options) { return cli::run_status(options, terminal); },
          [&](const cli::GetEndpointsOptions& options) { return cli::run_get_endpoints(options, terminal); },
          [&](const cli::CheckOptions& options) { return cli::run_check(options, terminal); },
          [](const cli::LoadOptions& options) { return cli::run_load(options); },
      },
      cli::parse_command_line(arguments));
}
