#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/commands/analyze.h"
#include "cli/commands/check.h"
#include "cli/commands/cleanup.h"
#include "cli/commands/demo.h"
#include "cli/commands/describe.h"
#include "cli/commands/exec.h"
#include "cli/commands/get.h"
#include "cli/commands/load.h"
#include "cli/commands/run.h"
#include "cli/commands/status.h"

// From arguments to options: everything that knows the names of options, and nothing else does.
namespace cli {

enum class Shell : std::uint8_t { bash, zsh, fish };

struct CompletionOptions {
  Shell shell = Shell::bash;
};

struct VersionOptions {};

// Asked for help, or asked wrongly: print and end.
struct Message {
  std::string text;
  int exit_code = 0;  // 0: to standard output, else to standard error
};

using Command = std::variant<Message, VersionOptions, CompletionOptions, DemoOptions, RunOptions, ExecOptions,
                             CheckOptions, ClusterCheckOptions, AnalyzeOptions, LoadOptions, StatusOptions, GetOptions,
                             DescribeOptions, CleanupOptions>;

// `arguments` without the program's name.
Command parse_command_line(std::span<const std::string> arguments);

// The program's name as a plugin of kubectl: `kubectl fairlead status` runs kubectl-fairlead with `status`. Its
// commands are about the agents of a cluster.
inline constexpr const char* kPluginName = "kubectl-fairlead";
Command parse_plugin_command_line(std::span<const std::string> arguments);

// The commands and their options, for shell completion.
struct CommandDescription {
  std::string name;
  std::string summary;
  std::vector<std::pair<std::string, std::string>> options;  // "--name" and what it does
  std::vector<std::string> choices;                          // what may follow the command: subcommands
};
std::vector<CommandDescription> describe_commands();

}  // namespace cli
