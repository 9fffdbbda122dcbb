#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace agent::kube {

// A certificate, key or token: its text, or the file that has it.
struct Secret {
  std::string text;
  std::string file;  // read again when it is used, because who wrote it replaces it before it expires
  explicit operator bool() const { return !text.empty() || !file.empty(); }
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
  std::string name_space;  // of the service account, or of the context
  std::string origin;      // for messages
};

inline constexpr std::string_view kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

// Of a pod. `host` and `port` are the values of KUBERNETES_SERVICE_HOST and _PORT, empty when not set.
base::Result<ClientConfig> in_cluster_config(std::string_view host, std::string_view port,
                                             const std::string& folder = std::string(kServiceAccountFolder));

// Of a kubeconfig's text. Relative paths in it start at the folder of `path`; no `context`: the current one. What would
// run another program or leave out who we are (exec, auth-provider, impersonation, a proxy) is refused.
base::Result<ClientConfig> read_kubeconfig(std::string_view text, const std::string& path,
                                           std::string_view context = {});
base::Result<ClientConfig> load_kubeconfig(const std::string& path, std::string_view context = {});

// A file's content; Errc::io, or Errc::invalid when it is larger than any honest secret.
base::Result<std::string> read_secret_file(const std::string& path);

}  // namespace agent::kube
