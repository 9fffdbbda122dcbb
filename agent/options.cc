#include "agent/options.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace agent {
namespace {

constexpr int kUsageError = 2;
constexpr config::Milliseconds kPromptFlush{20};  // somebody is watching the file

template <typename T>
T value_or_throw(base::Result<T> result, const std::string& option) {
  if (!result) throw CLI::ValidationError(option, result.error().message);
  return *result;
}

// "127.0.0.1:8080=127.77.0.9:3000"
TrialListener parse_listener(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw CLI::ValidationError(
        "--listen", "'" + text + "' is not ADDRESS:PORT=VIP:PORT, for example 127.0.0.1:8080=127.77.0.9:3000");
  }
  return {value_or_throw(base::SocketAddress::parse(text.substr(0, equals)), "--listen"),
          value_or_throw(base::SocketAddress::parse(text.substr(equals + 1)), "--listen")};
}

void parse_workload(const std::string& text, Options& options) {
  const std::size_t dot = text.find('.');
  options.as_name = text.substr(0, dot);
  if (dot != std::string::npos) options.as_namespace = text.substr(dot + 1);
  if (options.as_name.empty() || options.as_namespace.empty()) {
    throw CLI::ValidationError("--as", "'" + text + "' is not WORKLOAD or WORKLOAD.NAMESPACE");
  }
}

config::Labels parse_labels(const std::string& text) {
  config::Labels labels;
  for (const std::string& pair : CLI::detail::split(text, ',')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw CLI::ValidationError("--labels", "'" + pair + "' is not NAME=VALUE");
    }
    labels[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return labels;
}

std::string default_runtime_dir() {
  if (::geteuid() == 0) return "/run/fairlead";
  const char* const base = std::getenv("XDG_RUNTIME_DIR");
  return base != nullptr && *base != '\0' ? std::string(base) + "/fairlead" : std::string();
}

std::string host_name() {
  utsname name{};
  return ::uname(&name) == 0 ? name.nodename : "";
}

// A trial has its own folder, so that any number of them can run side by side.
base::Result<std::string> temporary_dir() {
  std::string path = (std::filesystem::temp_directory_path() / "fairlead-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return base::fail_errno("make a temporary folder");
  return path;
}

}  // namespace

void Options::apply_to(config::Settings& settings) const {
  if (semantics) settings.semantics = *semantics;
  if (workers) settings.workers = *workers;
  if (!uses_bpf && !workers && settings.workers == 0) settings.workers = 1;
  if (admin) settings.admin_address = *admin;
  if (access_log) {
    settings.proxy.access_log_path = *access_log;
    settings.proxy.access_log_format = config::AccessLogFormat::json;
    settings.proxy.access_log_flush_interval = kPromptFlush;
  }
}

ParsedOptions parse_options(int argc, char** argv) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  CLI::App app{"Enforces the policies in the given documents for the workloads of this host.", argv[0]};
  app.get_formatter()->column_width(34);
  std::string workload, labels, passthrough, admin, semantics;
  std::vector<std::string> listeners;
  bool without_bpf = false;
  app.add_option("-f,--file", options.documents, "Documents: YAML files, or folders of them (may be repeated)")
      ->type_name("PATH");
  app.add_flag("--kubernetes", options.is_kubernetes, "Documents and workloads are those of the cluster");
  app.add_option("--kubeconfig", options.kubeconfig, "How to reach its API server (default: the service account)")
      ->type_name("FILE");
  app.add_option("--node", options.node, "Name of this node in the cluster (default: $NODE_NAME, else the host's)")
      ->envname("NODE_NAME")
      ->type_name("NAME");
  app.add_option("--cgroup2", options.cgroup2, "Where the host's cgroup2 hierarchy is mounted (default: found)")
      ->type_name("DIR");
  app.add_option("--proc", options.proc, "Where the node's processes are seen (default: /proc)")->type_name("DIR");
  app.add_flag("--external-proxy", options.has_external_proxy, "Do not start a proxy: wait for one");
  app.add_option("--owner", options.owner,
                 "Whose agents may take this node over: the DaemonSet (default: $FAIRLEAD_OWNER)")
      ->envname("FAIRLEAD_OWNER")
      ->type_name("NAMESPACE/NAME");
  app.add_option("--host-runtime-dir", options.host_runtime_dir,
                 "Folder of the lock that keeps a second agent off this node (default: the runtime folder)")
      ->type_name("DIR");
  app.add_flag("--no-bpf", without_bpf, "Without redirection, also as an ordinary user: traffic comes to --listen");
  app.add_option("--listen", listeners, "A connection to ADDRESS:PORT counts as one to VIP:PORT (may be repeated)")
      ->type_name("ADDRESS:PORT=VIP:PORT");
  app.add_option("--as", workload, "Whose connections those are")->type_name("WORKLOAD[.NAMESPACE]");
  app.add_option("--labels", labels, "Labels of that workload when no document declares it (default: app=WORKLOAD)")
      ->type_name("NAME=VALUE,...");
  app.add_option("--passthrough", passthrough,
                 "Where the original destination is, for hosts that no document knows (default: VIP:PORT)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--access-log", options.access_log, "Write a JSON line for each request, promptly")->type_name("FILE");
  app.add_option("--semantics", semantics, "Profile: istio or legacy")
      ->check(CLI::IsMember({"istio", "legacy"}))
      ->type_name("PROFILE");
  app.add_option("--workers", options.workers, "Threads of the proxy (default: one for each CPU; 1 with --no-bpf)")
      ->check(CLI::Range(1U, 256U))
      ->type_name("N");
  app.add_option("--admin", admin, "Metrics and state (default: 127.0.0.1:15020; with --no-bpf: none)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--runtime-dir", options.runtime_dir, "Folder of the agent's socket and lock (default: /run/fairlead)")
      ->type_name("DIR");
  try {
    app.parse(argc, argv);
    options.uses_bpf = !without_bpf;
    for (const std::string& text : listeners) options.listeners.push_back(parse_listener(text));
    if (!workload.empty()) parse_workload(workload, options);
    if (!labels.empty()) options.as_labels = parse_labels(labels);
    if (!passthrough.empty())
      options.passthrough = value_or_throw(base::SocketAddress::parse(passthrough), "--passthrough");
    if (!admin.empty()) options.admin = value_or_throw(base::SocketAddress::parse(admin), "--admin");
    if (!semantics.empty())
      options.semantics = semantics == "legacy" ? config::Semantics::legacy : config::Semantics::istio;
    if (options.documents.empty() && !options.is_kubernetes) {
      throw CLI::RequiredError("-f FILE_OR_FOLDER (or --kubernetes)");
    }
    if (options.is_kubernetes && without_bpf) throw CLI::ValidationError("--kubernetes", "needs eBPF");
    if (options.uses_bpf && !options.listeners.empty()) {
      throw CLI::ValidationError("--listen", "belongs to --no-bpf: with redirection, connections come by themselves");
    }
    if (!options.uses_bpf && (options.listeners.empty() || options.as_name.empty())) {
      throw CLI::ValidationError("--no-bpf", "needs --listen ADDRESS:PORT=VIP:PORT and --as WORKLOAD.NAMESPACE");
    }
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      parsed.exit_code = app.exit(error);  // prints the help that was asked for
    } else {
      std::fprintf(stderr, "%s: %s\nTry: %s --help\n", argv[0], error.what(), argv[0]);
      parsed.exit_code = kUsageError;
    }
    return parsed;
  }
  if (options.is_kubernetes && options.node.empty()) options.node = host_name();
  options.has_admin = options.uses_bpf || options.admin.has_value();
  if (options.runtime_dir.empty() && options.uses_bpf) options.runtime_dir = default_runtime_dir();
  if (options.runtime_dir.empty()) {
    auto made = temporary_dir();
    if (!made) {
      std::fprintf(stderr, "%s: %s\n", argv[0], made.error().message.c_str());
      parsed.exit_code = 1;
      return parsed;
    }
    options.runtime_dir = *made;
    options.owns_runtime_dir = true;
  }
  return parsed;
}

}  // namespace agent
