#include "cli/command_line.h"

#include <array>
#include <chrono>
#include <map>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/duration.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

constexpr std::string_view kFooter =
    "Exit codes: 0 good, 1 the thing asked about is bad, 2 wrong use or input.\n"
    "Start here: fairlead demo";

// Fortio's flags have one dash, as Go's do.
constexpr std::array<std::string_view, 8> kSingleDashFlags{
    "-qps", "-loglevel", "-quiet", "-timeout", "-keepalive", "-curl", "-json", "-allow-initial-errors"};

void accept_single_dash_flags(std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front() != "load") return;
  for (auto& argument : arguments) {
    const auto name = argument.substr(0, argument.find('='));
    for (const auto flag : kSingleDashFlags) {
      if (name == flag) argument.insert(0, "-");
    }
  }
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& target,
                          const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [&target, name](const std::string& text) {
            const auto duration = parse_duration(text);
            if (!duration) throw CLI::ValidationError(name, duration.error().message);
            target = *duration;
          },
          help)
      ->type_name("DURATION");
}

struct Parsed {
  CheckOptions check;
  LoadOptions load;
  bool is_quiet = false;
};

void add_load(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("load", "Send requests and count the answers, with Fortio's flags and output");
  auto& options = parsed.load;
  app->add_option("url", options.url, "http://host:port/path")->required();
  app->add_option("-c", options.connections, "Connections, each with one request at a time")->capture_default_str();
  app->add_option("-n", options.requests, "Requests in all; 0: as many as -t allows")->capture_default_str();
  app->add_option("--qps", options.requests_per_second, "Requests per second in all; 0: as fast as answers come")
      ->capture_default_str();
  add_duration(*app, "-t", options.duration, "How long, when -n is not given (default 5s)");
  app->add_option("-H", options.headers, "Header 'Name: value'; may be repeated")->take_all()->allow_extra_args(false);
  add_duration(*app, "--timeout", options.timeout, "Limit for one request (default 3s)");
  app->add_option("--keepalive", options.keeps_alive, "false: a new connection for each request")->default_str("true");
  app->add_flag("--curl", options.is_one_request, "Send one request and print the whole answer");
  app->add_option("--json", options.json_path,
                  "Also write the result as JSON to this file; -: to standard output only");
  const std::map<std::string, LoadLogLevel> levels{{"Debug", LoadLogLevel::debug},
                                                   {"Verbose", LoadLogLevel::verbose},
                                                   {"Info", LoadLogLevel::info},
                                                   {"Warning", LoadLogLevel::warning},
                                                   {"Error", LoadLogLevel::error}};
  app->add_option("--loglevel", options.log_level, "Debug, Verbose, Info, Warning or Error")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case).description(""))
      ->type_name("LEVEL");
  app->add_flag("--quiet", parsed.is_quiet, "The same as -loglevel Error");
}

void add_all(CLI::App& root, Parsed& parsed) {
  root.add_subcommand("check", "Can this machine redirect connections? What is missing, and what to do");
  add_load(root, parsed);
  root.add_subcommand("version", "Print the version");
}

void set_up(CLI::App& root) {
  root.require_subcommand(1);
  root.set_version_flag("--version", "fairlead " FAIRLEAD_VERSION);
  root.footer(std::string(kFooter));
}

std::string command_name(const CLI::App& root) {
  const auto chosen = root.get_subcommands();
  return chosen.empty() ? "fairlead" : "fairlead " + chosen.front()->get_name();
}

// Help of what was chosen, or one line that says what is wrong and where to read on.
Message message_of(const CLI::App& root, const CLI::ParseError& error) {
  const auto name = command_name(root);
  if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr) return {std::string(error.what()) + "\n", kGood};
  if (error.get_exit_code() == 0) {
    const auto chosen = root.get_subcommands();
    return {chosen.empty() ? root.help() : chosen.front()->help("fairlead"), kGood};
  }
  return {name + ": " + error.what() + "\nTry: " + name + " --help\n", kUsage};
}

Command chosen_command(const CLI::App& root, Parsed& parsed) {
  const auto name = root.get_subcommands().front()->get_name();
  if (name == "check") return parsed.check;
  if (name == "load") {
    if (parsed.is_quiet) parsed.load.log_level = LoadLogLevel::error;
    return std::move(parsed.load);
  }
  return VersionCommand{};
}

}  // namespace

Command parse_command_line(std::span<const std::string> arguments) {
  CLI::App root("Resilience for the workloads of one node, without sidecars.", "fairlead");
  Parsed parsed;
  set_up(root);
  add_all(root, parsed);
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (words.empty()) return Message{root.help(), kUsage};
  accept_single_dash_flags(words);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    root.parse(words);
  } catch (const CLI::ParseError& error) {
    return message_of(root, error);
  }
  return chosen_command(root, parsed);
}

std::vector<CommandDescription> describe_commands() {
  CLI::App root("", "fairlead");
  Parsed parsed;
  add_all(root, parsed);
  std::vector<CommandDescription> commands;
  for (const auto* app : root.get_subcommands([](const CLI::App*) { return true; })) {
    CommandDescription command{app->get_name(), app->get_description(), {}, {}};
    for (const auto* option : app->get_options()) {
      if (option->nonpositional()) command.options.emplace_back(option->get_name(), option->get_description());
    }
    for (const auto* sub : app->get_subcommands([](const CLI::App*) { return true; })) {
      command.choices.push_back(sub->get_name());
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace cli
