#include "cli/command_line.h"

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/duration.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 good, 1 the thing asked about is bad, 2 wrong use or input.\n"
    "Start here: fairlead demo";
constexpr const char* kPluginFooter =
    "Exit codes: 0 good, 1 the thing asked about is bad, 2 wrong use or input.\n"
    "Agents are asked through the API server: that takes the right to get pods/proxy where Fairlead is installed.";

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

// An option that takes one of these words, in whatever case.
template <typename T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& target,
                        std::vector<std::pair<std::string, T>> choices, const std::string& help) {
  const auto choose = [&target, name, choices = std::move(choices)](const std::string& text) {
    std::string allowed;
    for (const auto& [word, value] : choices) {
      if (CLI::detail::to_lower(word) == CLI::detail::to_lower(text)) {
        target = value;
        return;
      }
      if (!allowed.empty()) allowed += word == choices.back().first ? " or " : ", ";
      allowed += word;
    }
    throw CLI::ValidationError(name, "'" + text + "' is not " + allowed);
  };
  return app.add_option_function<std::string>(name, choose, help);
}

struct Parsed {
  DemoOptions demo;
  AnalyzeOptions analyze;
  ExecOptions exec;
  CheckOptions check;
  LoadOptions load;
  StatusOptions status;
  GetOptions get;
  DescribeOptions describe;
  ClusterCheckOptions cluster_check;
  cluster::Options cluster;
  CompletionOptions completion;
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
  add_choice<LoadLogLevel>(*app, "--loglevel", options.log_level,
                           {{"Debug", LoadLogLevel::debug},
                            {"Verbose", LoadLogLevel::verbose},
                            {"Info", LoadLogLevel::info},
                            {"Warning", LoadLogLevel::warning},
                            {"Error", LoadLogLevel::error}},
                           "Debug, Verbose, Info, Warning or Error")
      ->type_name("LEVEL");
  app->add_flag("--quiet", parsed.is_quiet, "The same as -loglevel Error");
}

void add_demo(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("demo", "Timeouts, retries, ejection and limits on real processes, in 30 seconds");
  auto& options = parsed.demo;
  add_choice<config::Semantics>(*app, "--semantics", options.semantics,
                                {{"istio", config::Semantics::istio}, {"legacy", config::Semantics::legacy}},
                                "istio (today's) or legacy (Istio 1.1)")
      ->type_name("PROFILE");
  app->add_flag("--no-bpf", options.has_no_bpf, "Without redirection in the kernel; any user may do that");
  app->add_flag("--keep", options.keeps_running, "Leave it running until Ctrl-C, and say how to go on");
}

void add_analyze(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("analyze", "Read documents as the agent would, and print what is wrong with them");
  app->add_option("-f,--file,files", parsed.analyze.paths, "File or folder; -: standard input; may be repeated")
      ->required();
}

void add_run(CLI::App& root) {
  auto* app = root.add_subcommand("run", "Run the agent and its proxy in the foreground: fairlead run -f DIR");
  app->prefix_command();  // not reached: run's arguments are the agent's
}

void add_admin(CLI::App& app, std::string& admin) {
  app.add_option("--admin", admin, "Address of the agent's admin endpoint")
      ->envname("FAIRLEAD_ADMIN")
      ->capture_default_str()
      ->type_name("ADDRESS");
}

void add_output(CLI::App& app, OutputFormat& format) {
  add_choice<OutputFormat>(app, "-o,--output", format, {{"table", OutputFormat::table}, {"json", OutputFormat::json}},
                           "table or json")
      ->type_name("FORMAT");
}

void add_exec(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("exec", "Run a command as an instance of a workload, with the services' names");
  auto& options = parsed.exec;
  app->add_option("--as", options.workload, "Name of the workload")->required()->type_name("WORKLOAD");
  app->add_option("-n,--namespace", options.name_space, "Its namespace")->capture_default_str()->type_name("NAMESPACE");
  add_admin(*app, options.admin);
  app->add_option("command", options.command, "The command and its arguments, after --")->required();
  app->footer(
      "Example: fairlead exec --as helloweb -- curl http://greeter-service:3000/hello\n"
      "The command's exit code is passed through. What it leaves running ends with it.");
}

void add_status(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("status", "Proxy, workloads and policies of the running agent");
  add_admin(*app, parsed.status.source.admin);
  add_output(*app, parsed.status.format);
}

// Adds to each of the commands below `get` and `describe` what says whom to ask.
using AddSource = std::function<void(CLI::App&, Source&)>;

void add_get(CLI::App& root, Parsed& parsed, const AddSource& add_source) {
  auto* app = root.add_subcommand("get", "List workloads, services, endpoints or policies");
  app->require_subcommand(1);
  struct Kind {
    const char *name, *help, *filter;
    Listed what;
  };
  static constexpr std::array<Kind, 4> kKinds{
      {{"workloads", "Who is redirected, and who is not and why", "workloads", Listed::workloads},
       {"services", "Services that are served", "services", Listed::services},
       {"endpoints", "Endpoints, and which are ejected until when by which rule", "services", Listed::endpoints},
       {"policies", "Policies: in force, in part, or refused and why", "policies", Listed::policies}}};
  for (const Kind& kind : kKinds) {
    auto* below = app->add_subcommand(kind.name, kind.help);
    below->add_option("name", parsed.get.name, std::string("Only ") + kind.filter + " whose name holds this");
    add_source(*below, parsed.get.source);
    add_output(*below, parsed.get.format);
    below->callback([&options = parsed.get, what = kind.what] { options.what = what; });
  }
}

void add_describe(CLI::App& root, Parsed& parsed, const AddSource& add_source) {
  auto* app = root.add_subcommand("describe", "Explain one thing: describe service NAME");
  app->require_subcommand(1);
  auto* service = app->add_subcommand("service", "What is enforced for whom, and by which document");
  service->add_option("name", parsed.describe.service, "Its name, name.namespace, or host")->required();
  add_source(*service, parsed.describe.source);
}

void add_check(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("check", "Can this machine redirect connections? What is missing, and what to do");
  add_output(*app, parsed.check.format);
  // For the Job of `kubectl fairlead check`.
  auto& places = parsed.check.places;
  app->add_flag("--in-pod", places.has_own_network, "Do not look at ports")->group("");
  app->add_option("--cgroup2", places.cgroup2, "Where the node's hierarchy is mounted")->group("");
  app->add_option("--host-root", places.root, "Where the node's files are mounted")->group("");
}

void add_cluster(CLI::App& app, cluster::Options& options) {
  app.add_option("--kubeconfig", options.kubeconfig, "As kubectl's: the file that says where the cluster is")
      ->type_name("FILE");
  app.add_option("--context", options.context, "As kubectl's: the context in it")->type_name("NAME");
  add_duration(app, "--request-timeout", options.request_timeout, "For one answer of the API server (default 10s)");
  app.add_option("--fairlead-namespace", options.fairlead_namespace, "Where Fairlead is installed")
      ->envname("FAIRLEAD_NAMESPACE")
      ->capture_default_str()
      ->type_name("NAMESPACE");
}

void add_namespace(CLI::App& app, cluster::Options& options) {
  app.add_option("-n,--namespace", options.name_space, "Only of this namespace (default: the context's)")
      ->type_name("NAMESPACE");
}

void add_cluster_check(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("check", "Can Fairlead be installed here? Rights, other agents, and every node");
  auto& options = parsed.cluster_check;
  add_cluster(*app, parsed.cluster);
  app->add_option("-n,--namespace", options.nodes.name_space, "Where the Jobs run (default: one of their own)")
      ->type_name("NAMESPACE");
  app->add_option("--image", options.nodes.image, "Fairlead's image, for a short Job on each node")
      ->capture_default_str()
      ->type_name("IMAGE");
  add_duration(*app, "--timeout", options.nodes.patience, "How long to wait for the Jobs (default 1m)");
  app->add_flag("--skip-nodes", options.skips_nodes, "Run no Job; look only at what the API server knows");
  add_output(*app, options.format);
}

void add_completion(CLI::App& root, Parsed& parsed) {
  auto* app = root.add_subcommand("completion", "Print a completion script for a shell");
  add_choice<Shell>(*app, "shell", parsed.completion.shell,
                    {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}}, "bash, zsh or fish")
      ->required()
      ->type_name("SHELL");
}

bool everything(const CLI::App* /*app*/) { return true; }

void group_commands(CLI::App& root) {
  for (auto* app : root.get_subcommands(everything)) {
    app->group("Commands");
    for (auto* below : app->get_subcommands(everything)) below->group("Commands");
  }
}

// In the order in which a newcomer meets them.
void add_all(CLI::App& root, Parsed& parsed) {
  add_demo(root, parsed);
  add_check(root, parsed);
  add_run(root);
  add_exec(root, parsed);
  add_analyze(root, parsed);
  add_load(root, parsed);
  add_status(root, parsed);
  const AddSource this_host = [](CLI::App& app, Source& source) { add_admin(app, source.admin); };
  add_get(root, parsed, this_host);
  add_describe(root, parsed, this_host);
  root.add_subcommand("cleanup", "Remove pinned programs and empty cgroups after the agent has ended");
  add_completion(root, parsed);
  root.add_subcommand("version", "Print the version");
  group_commands(root);
}

// What `kubectl fairlead` can do.
void add_plugin(CLI::App& root, Parsed& parsed) {
  const AddSource the_cluster = [&parsed](CLI::App& app, Source& /*source*/) {
    add_cluster(app, parsed.cluster);
    add_namespace(app, parsed.cluster);
  };
  add_cluster_check(root, parsed);
  auto* status = root.add_subcommand("status", "Nodes, pods that are not captured and why, policies not in force");
  add_cluster(*status, parsed.cluster);
  add_output(*status, parsed.status.format);
  add_get(root, parsed, the_cluster);
  for (auto* below : root.get_subcommand("get")->get_subcommands(everything)) {
    below->add_flag("-A,--all-namespaces", parsed.cluster.has_all_namespaces, "Of all namespaces");
  }
  add_describe(root, parsed, the_cluster);
  root.add_subcommand("version", "Print the version");
  group_commands(root);
}

void set_up(CLI::App& root, const char* footer) {
  root.require_subcommand(1);
  root.get_formatter()->label("SUBCOMMAND", "COMMAND");
  root.set_version_flag("--version", "fairlead " FAIRLEAD_VERSION);
  root.footer(std::string(footer));
}

// The innermost command that was named, and how it was called.
struct Chosen {
  const CLI::App* app;
  std::string parents;
};
Chosen chosen_app(const CLI::App& root) {
  Chosen chosen{&root, ""};
  for (auto below = root.get_subcommands(); !below.empty(); below = below.front()->get_subcommands()) {
    chosen.parents += (chosen.parents.empty() ? "" : " ") + chosen.app->get_name();
    chosen.app = below.front();
  }
  return chosen;
}

// Help of what was chosen, or one line that says what is wrong and where to read on.
Message message_of(const CLI::App& root, const CLI::ParseError& error) {
  const auto [app, parents] = chosen_app(root);
  const auto name = parents.empty() ? app->get_name() : parents + " " + app->get_name();
  if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr) return {std::string(error.what()) + "\n", kGood};
  if (error.get_exit_code() == 0) return {app->help(parents), kGood};
  const bool lacks_command = app->get_subcommands().empty() && !app->get_subcommands(everything).empty();
  std::string what = error.what();
  if (lacks_command && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const auto surplus = app->remaining();
    what = surplus.empty() ? "say what to do" : "there is no command " + surplus.front();
  }
  return {name + ": " + what + "\nTry: " + name + " --help\n", kUsage};
}

// What to print instead, if the words are not understood or ask for help.
std::optional<Message> parse(CLI::App& root, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    root.parse(words);
  } catch (const CLI::ParseError& error) {
    return message_of(root, error);
  }
  return std::nullopt;
}

// Options of `app` that the description does not have yet.
void add_options(const CLI::App& app, CommandDescription& command) {
  for (const auto* option : app.get_options()) {
    const auto name = option->get_name();
    const bool is_known = std::any_of(command.options.begin(), command.options.end(),
                                      [&](const auto& known) { return known.first == name; });
    if (option->nonpositional() && !is_known) command.options.emplace_back(name, option->get_description());
  }
}

Command chosen_command(const CLI::App& root, Parsed& parsed) {
  const auto name = root.get_subcommands().front()->get_name();
  if (name == "demo") return parsed.demo;
  if (name == "analyze") return std::move(parsed.analyze);
  if (name == "check") return std::move(parsed.check);
  if (name == "exec") return std::move(parsed.exec);
  if (name == "status") return std::move(parsed.status);
  if (name == "get") return std::move(parsed.get);
  if (name == "describe") return std::move(parsed.describe);
  if (name == "cleanup") return CleanupOptions{};
  if (name == "completion") return std::move(parsed.completion);
  if (name == "load") {
    if (parsed.is_quiet) parsed.load.log_level = LoadLogLevel::error;
    return std::move(parsed.load);
  }
  return VersionOptions{};
}

}  // namespace

Command parse_command_line(std::span<const std::string> arguments) {
  CLI::App root("Resilience for the workloads of one node, without sidecars.", "fairlead");
  Parsed parsed;
  set_up(root, kFooter);
  add_all(root, parsed);
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (words.empty()) return Message{root.help(), kUsage};
  if (words.front() == "run") return RunOptions{{words.begin() + 1, words.end()}};
  accept_single_dash_flags(words);
  if (auto message = parse(root, std::move(words))) return *message;
  return chosen_command(root, parsed);
}

Command parse_plugin_command_line(std::span<const std::string> arguments) {
  CLI::App root("What Fairlead does in a cluster: which pods it captures, which policies it enforces.",
                "kubectl fairlead");
  Parsed parsed;
  set_up(root, kPluginFooter);
  add_plugin(root, parsed);
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (words.empty()) return Message{root.help(), kUsage};
  if (auto message = parse(root, std::move(words))) return *message;
  parsed.status.source.cluster = parsed.get.source.cluster = parsed.describe.source.cluster = parsed.cluster;
  if (root.get_subcommands().front()->get_name() != "check") return chosen_command(root, parsed);
  parsed.cluster_check.cluster = parsed.cluster;
  return std::move(parsed.cluster_check);
}

std::vector<CommandDescription> describe_commands() {
  CLI::App root("", "fairlead");
  Parsed parsed;
  add_all(root, parsed);
  std::vector<CommandDescription> commands;
  for (const auto* app : root.get_subcommands(everything)) {
    CommandDescription command{app->get_name(), app->get_description(), {}, {}};
    add_options(*app, command);
    for (const auto* below : app->get_subcommands(everything)) {
      command.choices.push_back(below->get_name());
      add_options(*below, command);
    }
    if (command.name == "completion") command.choices = {"bash", "zsh", "fish"};
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace cli
