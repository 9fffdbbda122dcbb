#include "agent/kube/client_config.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <charconv>
#include <deque>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/unique_fd.h"
#include "config/yaml/node.h"
#include "config/yaml/parse.h"

namespace agent::kube {
namespace {

using config::yaml::Node;

constexpr std::size_t kMaxSecretBytes = std::size_t{4} * 1024 * 1024;  // a bundle of many authorities

// In a URL an IPv6 address is in brackets; in ClientConfig it is not.
struct Url {
  std::string host;
  std::uint16_t port = 443;
  std::string path;
};

base::Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return base::fail(base::Errc::invalid, '"' + std::string(text) + "\" is not a port: 1 to 65535");
  }
  return port;
}

bool is_host(std::string_view host) {
  if (base::IpAddress::parse(host)) return true;
  return !host.empty() && host.size() <= 253 &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == host.npos;
}

bool is_path(std::string_view path) {
  for (const char c : path) {
    if (c <= ' ' || c > '~' || c == '?' || c == '#') return false;
  }
  return true;
}

base::Result<Url> parse_server(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return base::fail(base::Errc::invalid, "server \"" + std::string(text) + "\" " + std::string(why));
  };
  constexpr std::string_view kScheme = "https://";
  if (!text.starts_with(kScheme)) return refuse("does not start with https://: nothing else is spoken");
  std::string_view rest = text.substr(kScheme.size());
  Url url;
  const auto slash = std::min(rest.find('/'), rest.size());
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  rest = rest.substr(0, slash);
  std::string_view after;
  if (rest.starts_with('[')) {
    const auto bracket = rest.find(']');
    if (bracket == rest.npos) return refuse("lacks a ]");
    url.host = rest.substr(1, bracket - 1);
    after = rest.substr(bracket + 1);
  } else {
    const auto colon = std::min(rest.find(':'), rest.size());
    url.host = rest.substr(0, colon);
    after = rest.substr(colon);
  }
  if (!is_host(url.host)) return refuse("names no host");
  if (!is_path(url.path)) return refuse("has a path that is not one");
  if (!after.empty()) {
    const auto port = after.starts_with(':') ? parse_port(after.substr(1))
                                             : base::fail(base::Errc::invalid, "there is something after the host");
    if (!port) return refuse("has no good port: " + port.error().message);
    url.port = *port;
  }
  return url;
}

base::Result<std::string> decode_base64(std::string_view text) {
  std::string compact;
  for (const char c : text) {
    if (c != '\n' && c != '\r' && c != ' ') compact += c;
  }
  if (compact.size() % 4 != 0) return base::fail(base::Errc::invalid, "is not base64");
  std::vector<unsigned char> bytes(compact.size() / 4 * 3 + 1);
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(compact.data()),
                                   static_cast<int>(compact.size()));
  if (size < 0) return base::fail(base::Errc::invalid, "is not base64");
  const std::size_t padding = compact.ends_with("==") ? 2 : compact.ends_with('=') ? 1 : 0;
  return std::string(bytes.begin(), bytes.begin() + size - static_cast<std::ptrdiff_t>(padding));
}

// One file of kubectl's, while it is read.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), folder_(std::filesystem::path(path).parent_path()) {}

  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] auto fail(const Node& node, const std::string& why) const {
    return base::fail(base::Errc::invalid, path_ + ":" + std::to_string(node.mark().line) + ": " + why);
  }

  // `key`-data, in base64, wins over `key`, a file; as with kubectl.
  [[nodiscard]] base::Result<Secret> secret(const Node& node, const std::string& key) const {
    if (const Node inline_value = node[key + "-data"]; inline_value && !inline_value.text().empty()) {
      auto decoded = decode_base64(inline_value.text());
      if (!decoded) return fail(inline_value, key + "-data " + decoded.error().message);
      return Secret{.text = std::move(*decoded)};
    }
    return Secret{.file = file(node[key])};
  }

  [[nodiscard]] std::string file(const Node& node) const {
    const std::string name = node.text();
    return name.empty() ? name : (folder_ / name).string();
  }

 private:
  std::string path_;
  std::filesystem::path folder_;
};

// Files that count together, the first one most. They own what Node looks at.
class Kubeconfigs {
 public:
  struct Entry {
    const Reader* reader = nullptr;
    Node node;
  };

  base::Result<> add(std::string_view text, const std::string& path) {
    auto documents = config::yaml::parse(text);
    if (documents.size() != 1) {
      return base::fail(base::Errc::invalid,
                        path + ": holds " + std::to_string(documents.size()) + " documents; a kubeconfig is one");
    }
    if (const auto& error = documents[0].error) {
      return base::fail(base::Errc::invalid, path + ":" + std::to_string(error->mark.line) + ": " + error->message);
    }
    files_.emplace_back(path, std::move(documents[0]));
    return {};
  }

  [[nodiscard]] bool empty() const { return files_.empty(); }

  [[nodiscard]] base::Result<std::string> current_context() const {
    for (const File& file : files_) {
      if (auto name = file.root()["current-context"].text(); !name.empty()) return name;
    }
    return files_.front().reader.fail(files_.front().root(), "has no current-context; name a context");
  }

  // The entry of `list` with that name: `key` of it.
  [[nodiscard]] base::Result<Entry> entry(std::string_view list, std::string_view key, const std::string& name) const {
    for (const File& file : files_) {
      for (const Node& item : file.root()[list].items()) {
        if (item["name"].text() == name) return Entry{&file.reader, item[key]};
      }
    }
    return files_.front().reader.fail(files_.front().root(),
                                      "there is no " + std::string(key) + " named \"" + name + "\"");
  }

 private:
  struct File {
    File(const std::string& path, config::yaml::ParsedDocument parsed) : reader(path), document(std::move(parsed)) {}
    [[nodiscard]] Node root() const { return Node(*document.value); }
    Reader reader;
    config::yaml::ParsedDocument document;
  };
  std::deque<File> files_;  // entries point into it
};

base::Result<> read_server(const Reader& reader, const Node& entry, ClientConfig& config) {
  auto url = parse_server(entry["server"].text());
  if (!url) return reader.fail(entry, url.error().message);
  if (!entry["proxy-url"].text().empty()) return reader.fail(entry["proxy-url"], "proxy-url is not supported");
  config.host = url->host;
  config.port = url->port;
  config.base_path = url->path;
  config.server_name = entry["tls-server-name"].text(config.host);
  config.verifies_server = !entry["insecure-skip-tls-verify"].boolean();
  auto authority = reader.secret(entry, "certificate-authority");
  if (!authority) return tl::unexpected(authority.error());
  config.authority = std::move(*authority);
  return {};
}

base::Result<LoginProgram> read_login(const Reader& reader, const Node& entry) {
  LoginProgram login;
  login.api_version = entry["apiVersion"].text();
  if (login.api_version != "client.authentication.k8s.io/v1" &&
      login.api_version != "client.authentication.k8s.io/v1beta1") {
    return reader.fail(entry, "exec.apiVersion is \"" + login.api_version +
                                  "\"; client.authentication.k8s.io/v1 and v1beta1 are spoken");
  }
  std::string command = entry["command"].text();
  if (command.empty()) return reader.fail(entry, "exec.command is missing");
  // As kubectl does: a path is relative to the file, a bare name is looked up in PATH.
  if (command.find('/') != command.npos) command = reader.file(entry["command"]);
  login.command = {std::move(command)};
  for (std::string& argument : entry["args"].texts()) login.command.push_back(std::move(argument));
  for (const Node& variable : entry["env"].items()) {
    login.environment.emplace_back(variable["name"].text(), variable["value"].text());
  }
  login.wants_cluster_info = entry["provideClusterInfo"].boolean();
  return login;
}

base::Result<> read_user(const Reader& reader, const Node& entry, const KubeconfigChoice& choice,
                         ClientConfig& config) {
  if (entry["exec"] && choice.allows_login_program) {
    auto login = read_login(reader, entry["exec"]);
    if (!login) return tl::unexpected(login.error());
    config.login = std::move(*login);
    return {};
  }
  static constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
      {"exec", "runs a program to log in, which Fairlead does not do"},
      {"auth-provider", "is no longer supported by Kubernetes either"},
      {"username", "was removed from Kubernetes"},
      {"as", "acts as somebody else, which Fairlead does not do"},
  };
  for (const auto& [key, why] : kRefused) {
    if (!entry[key]) continue;
    return reader.fail(entry[key], "user." + std::string(key) + " " + std::string(why) +
                                       "; use a client certificate, token or tokenFile");
  }
  auto certificate = reader.secret(entry, "client-certificate");
  if (!certificate) return tl::unexpected(certificate.error());
  auto key = reader.secret(entry, "client-key");
  if (!key) return tl::unexpected(key.error());
  if (static_cast<bool>(*certificate) != static_cast<bool>(*key)) {
    return reader.fail(entry, "client-certificate and client-key go together, and one is missing");
  }
  config.client_certificate = std::move(*certificate);
  config.client_key = std::move(*key);
  config.token = {.text = entry["token"].text(), .file = reader.file(entry["tokenFile"])};
  return {};
}

base::Result<ClientConfig> chosen(const Kubeconfigs& files, const KubeconfigChoice& choice) {
  std::string name = choice.context;
  if (name.empty()) {
    auto current = files.current_context();
    if (!current) return tl::unexpected(current.error());
    name = std::move(*current);
  }
  const auto context = files.entry("contexts", "context", name);
  if (!context) return tl::unexpected(context.error());
  const auto server = files.entry("clusters", "cluster", context->node["cluster"].text());
  if (!server) return tl::unexpected(server.error());
  ClientConfig config;
  config.origin = context->reader->path();
  config.name_space = context->node["namespace"].text("default");
  if (auto done = read_server(*server->reader, server->node, config); !done) return tl::unexpected(done.error());
  if (const std::string user = context->node["user"].text(); !user.empty()) {
    const auto entry = files.entry("users", "user", user);
    if (!entry) return tl::unexpected(entry.error());
    if (auto done = read_user(*entry->reader, entry->node, choice, config); !done) return tl::unexpected(done.error());
  }
  return config;
}

}  // namespace

base::Result<std::string> read_secret_file(const std::string& path) {
  const base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + path);
  std::string content;
  char chunk[16 * 1024];
  for (;;) {
    const ssize_t size = read(fd.get(), chunk, sizeof chunk);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::fail_errno("read " + path);
    if (size == 0) return content;
    content.append(chunk, static_cast<std::size_t>(size));
    if (content.size() > kMaxSecretBytes) return base::fail(base::Errc::invalid, path + " is larger than 4 MiB");
  }
}

base::Result<ClientConfig> in_cluster_config(std::string_view host, std::string_view port, const std::string& folder) {
  if (host.empty() || port.empty()) {
    return base::fail(base::Errc::unavailable,
                      "this is not a pod (KUBERNETES_SERVICE_HOST and _PORT are not set); name a kubeconfig");
  }
  const auto number = parse_port(port);
  if (!number) return base::fail(base::Errc::invalid, "KUBERNETES_SERVICE_PORT: " + number.error().message);
  if (!is_host(host)) {
    return base::fail(base::Errc::invalid, "KUBERNETES_SERVICE_HOST: \"" + std::string(host) + "\" is not a host");
  }
  ClientConfig config{.host = std::string(host),
                      .port = *number,
                      .server_name = std::string(host),
                      .authority = {.file = folder + "/ca.crt"},
                      .token = {.file = folder + "/token"},
                      .origin = "the pod's service account"};
  // Said now and not with every request: without it nothing can work.
  if (auto token = read_secret_file(config.token.file); !token) {
    return base::fail(token.error().code,
                      token.error().message + " (the pod needs a service account with automountServiceAccountToken)");
  }
  if (auto name_space = read_secret_file(folder + "/namespace")) config.name_space = *name_space;
  return config;
}

base::Result<ClientConfig> read_kubeconfig(std::string_view text, const std::string& path,
                                           const KubeconfigChoice& choice) {
  Kubeconfigs files;
  if (auto added = files.add(text, path); !added) return tl::unexpected(added.error());
  return chosen(files, choice);
}

base::Result<ClientConfig> load_kubeconfig(const std::string& path) {
  const auto text = read_secret_file(path);
  if (!text) return tl::unexpected(text.error());
  return read_kubeconfig(*text, path);
}

base::Result<ClientConfig> load_kubeconfigs(const std::vector<std::string>& paths, const KubeconfigChoice& choice) {
  Kubeconfigs files;
  for (const std::string& path : paths) {
    if (access(path.c_str(), F_OK) != 0) continue;
    const auto text = read_secret_file(path);
    if (!text) return tl::unexpected(text.error());
    if (auto added = files.add(*text, path); !added) return tl::unexpected(added.error());
  }
  if (files.empty()) {
    return base::fail(base::Errc::not_found, "there is no kubeconfig" + (paths.empty() ? "" : " at " + paths.back()));
  }
  return chosen(files, choice);
}

}  // namespace agent::kube
