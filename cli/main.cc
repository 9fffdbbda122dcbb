#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "cli/command_line.h"
#include "cli/commands/version.h"
#include "cli/completion.h"

namespace cli {
namespace {

// One line for each command.
struct Runner {
  Terminal terminal;

  int operator()(const Message& message) const {
    std::fputs(message.text.c_str(), message.exit_code == 0 ? stdout : stderr);
    return message.exit_code;
  }
  int operator()(const DemoOptions& options) const { return run_demo(options, terminal); }
  int operator()(const CheckOptions& options) const { return run_check(options, terminal); }
  int operator()(const RunOptions& options) const { return run_agent(options); }
  int operator()(const ExecOptions& options) const { return run_exec(options); }
  int operator()(const AnalyzeOptions& options) const { return run_analyze(options, terminal); }
  int operator()(const LoadOptions& options) const { return run_load(options); }
  int operator()(const StatusOptions& options) const { return run_status(options, terminal); }
  int operator()(const GetOptions& options) const { return run_get(options, terminal); }
  int operator()(const DescribeOptions& options) const { return run_describe(options, terminal); }
  int operator()(const ClusterCheckOptions& options) const { return run_cluster_check(options, terminal); }
  int operator()(const CleanupOptions& options) const { return run_cleanup(options); }
  int operator()(const CompletionOptions& options) const {
    auto commands = describe_commands();
    for (auto& command : commands) {
      if (command.name == "run") command.options = options_in_help(agent_help());
    }
    std::fputs(completion_script(options.shell, commands).c_str(), stdout);
    return 0;
  }
  int operator()(const VersionOptions& /*options*/) const { return run_version(); }
};

}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool is_plugin = argc > 0 && std::filesystem::path(argv[0]).filename() == cli::kPluginName;
  return std::visit(cli::Runner{cli::Terminal::of(STDOUT_FILENO)},
                    is_plugin ? cli::parse_plugin_command_line(arguments) : cli::parse_command_line(arguments));
}
