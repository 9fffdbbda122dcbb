#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace agent::kube {

// A certificate, key or token: its text, or the file that has it.
struct Secret {
  std::string text;
  std::string file;  // read again when it is used, because who wrote it replaces it before it expires
  explicit operator bool() const { return !text.empty() || !file.empty(); }
};

// A program that says who we are: what a kubeconfig calls exec.
struct LoginProgram {
  std::vector<std::string> command;  // with its arguments
  std::vector<std::pair<std::string, std::string>> environment;
  std::string api_version;          // of what it is told and prints
  bool wants_cluster_info = false;  // where the API server is
};

// Where the API server is and who we are to it.
struct ClientConfig {
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 443;
  std::string base_path;    // before every path: "" or "/k8s/clusters/c-1"
  std::string server_name;  // that the certificate must be for
  bool verifies_server = true;
  Secret authority;  // PEM; none: the machine's
  Secret client_certificate, client_key;
  Secret token;
  std::optional<LoginProgram> login;  // to be run instead; only where it was allowed
  std::string name_space;             // of the service account, or of the context
  std::string origin;                 // for messages
};

inline constexpr std::string_view kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

// Of a pod. `host` and `port` are the values of KUBERNETES_SERVICE_HOST and _PORT, empty when not set.
base::Result<ClientConfig> in_cluster_config(std::string_view host, std::string_view port,
                                             const std::string& folder = std::string(kServiceAccountFolder));

// Which part of kubeconfigs counts.
struct KubeconfigChoice {
  std::string context;                // empty: the current one
  bool allows_login_program = false;  // ClientConfig::login may be filled; else such a user is refused
};

// Of a kubeconfig's text. Relative paths in it start at the folder of `path`. What would run another program or leave
// out who we are (exec, auth-provider, impersonation, a proxy) is refused.
base::Result<ClientConfig> read_kubeconfig(std::string_view text, const std::string& path,
                                           const KubeconfigChoice& choice = {});
base::Result<ClientConfig> load_kubeconfig(const std::string& path);
// Of several files, as kubectl joins those of $KUBECONFIG: the first that names a context, cluster or user counts, and
// files that do not exist are left out. Errc::not_found: none exists.
base::Result<ClientConfig> load_kubeconfigs(const std::vector<std::string>& paths, const KubeconfigChoice& choice);

// A file's content; Errc::io, or Errc::invalid when it is larger than any honest secret.
base::Result<std::string> read_secret_file(const std::string& path);

}  // namespace agent::kube
