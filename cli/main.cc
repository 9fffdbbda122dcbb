#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/commands/version.h"

namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto terminal = cli::Terminal::of(STDOUT_FILENO);
  return std::visit(Overloaded{
                        [](const cli::Message& message) {
                          std::fputs(message.text.c_str(), message.exit_code == 0 ? stdout : stderr);
                          return message.exit_code;
                        },
                        [](const cli::VersionCommand&) { return cli::run_version(); },
                        [&](const cli::CheckOptions& options) { return cli::run_check(options, terminal); },
                        [](const cli::LoadOptions& options) { return cli::run_load(options); },
                    },
                    cli::parse_command_line(arguments));
}
