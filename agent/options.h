#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "config/documents.h"

namespace agent {

// A listener of a trial without redirection: a connection to `listen` counts as one to `destination`.
struct TrialListener {
  base::SocketAddress listen;
  base::SocketAddress destination;
};

// The command line. What is set here wins over the Settings document.
struct Options {
  std::vector<std::string> documents;  // files and folders
  bool uses_bpf = true;
  std::vector<TrialListener> listeners;
  std::string as_name, as_namespace = "default";  // whose connections those are
  config::Labels as_labels;
  std::optional<base::SocketAddress> passthrough;
  std::optional<std::string> access_log;  // JSON, written out every 20 ms
  std::optional<config::Semantics> semantics;
  std::optional<std::uint32_t> workers;
  std::optional<base::SocketAddress> admin;
  bool has_admin = true;
  // In a cluster: documents come from the API server, and its pods are the workloads.
  bool is_kubernetes = false;
  std::string kubeconfig;  // empty: the service account
  std::string node;        // of the API server's objects
  std::string cgroup2;     // see Redirection::Settings
  std::string proc = "/proc";
  bool has_external_proxy = false;  // somebody else starts it
  std::string owner;                // DaemonSet as namespace/name; agents of it hand the node over to each other
  std::string host_runtime_dir;     // whose lock is the node's; empty: runtime_dir
  std::string runtime_dir;
  bool owns_runtime_dir = false;  // a temporary one, removed at the end

  // What the document says, as the command line changes it.
  void apply_to(config::Settings& settings) const;
};

// Parses; on --help or an error prints and returns the exit code instead.
struct ParsedOptions {
  Options options;
  std::optional<int> exit_code;
};
ParsedOptions parse_options(int argc, char** argv);

}  // namespace agent
