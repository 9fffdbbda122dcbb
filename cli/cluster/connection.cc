#include "cli/cluster/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "cli/cluster/login.h"

namespace cli::cluster {
namespace {

namespace asio = boost::asio;
namespace kube = agent::kube;

constexpr std::size_t kAtOnce = 16;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// kubectl's: the flag alone, else each file of $KUBECONFIG, else the one in the home folder.
std::vector<std::string> kubeconfigs(const Options& options) {
  if (!options.kubeconfig.empty()) return {options.kubeconfig};
  std::vector<std::string> paths;
  const std::string list = environment("KUBECONFIG");
  std::string_view rest = list;
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) paths.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  if (paths.empty()) paths.push_back(environment("HOME") + "/.kube/config");
  return paths;
}

base::Result<kube::ClientConfig> client_config(const Options& options) {
  auto config =
      kube::load_kubeconfigs(kubeconfigs(options), {.context = options.context, .allows_login_program = true});
  if (config || config.error().code != base::Errc::not_found || !options.kubeconfig.empty()) return config;
  auto in_cluster =
      kube::in_cluster_config(environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"));
  if (in_cluster) return in_cluster;
  return base::fail(base::Errc::not_found, config.error().message + "; name one with --kubeconfig or $KUBECONFIG");
}

// Takes the next request until none is left.
asio::awaitable<void> work(asio::io_context& context, std::shared_ptr<kube::Credentials> credentials,
                           kube::ApiTimeouts timeouts, std::vector<ApiRequest>& requests, std::size_t& next,
                           std::vector<ApiResult<std::string>>& answers) {
  kube::ApiClient client(context, std::move(credentials), timeouts);
  while (next < requests.size()) {
    const std::size_t mine = next++;
    answers[mine] = co_await client.perform(std::move(requests[mine]));
  }
}

}  // namespace

base::Result<Connection> Connection::open(const Options& options) {
  auto config = client_config(options);
  if (!config) return tl::unexpected(config.error());
  if (auto logged_in = log_in(*config); !logged_in) return tl::unexpected(logged_in.error());
  std::string name_space = options.name_space.empty() ? config->name_space : options.name_space;
  if (name_space.empty()) name_space = "default";
  if (options.has_all_namespaces) name_space.clear();
  return Connection(std::make_shared<kube::Credentials>(std::move(*config)), std::move(name_space),
                    options.request_timeout);
}

ApiResult<std::string> Connection::ask(ApiRequest request) const {
  std::vector<ApiRequest> requests;
  requests.push_back(std::move(request));
  return std::move(ask_all(std::move(requests)).front());
}

ApiResult<std::string> Connection::get(const std::string& target) const { return ask({.target = target}); }

std::vector<ApiResult<std::string>> Connection::ask_all(std::vector<ApiRequest> requests) const {
  std::vector<ApiResult<std::string>> answers(requests.size());
  asio::io_context context;
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(timeout_);
  const kube::ApiTimeouts timeouts{.connect = limit, .request = limit, .silence = limit};
  std::size_t next = 0;
  for (std::size_t i = 0; i < std::min(kAtOnce, requests.size()); ++i) {
    asio::co_spawn(context, work(context, credentials_, timeouts, requests, next, answers),
                   [](const std::exception_ptr& error) {
                     if (error) std::rethrow_exception(error);  // a bug: what fails is in the answers
                   });
  }
  context.run();
  return answers;
}

std::string Connection::server() const {
  return credentials_->config().host + ":" + std::to_string(credentials_->config().port);
}

std::string url_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || kPlain.find(c) != kPlain.npos) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4U], kHex[byte & 0xfU]};
    }
  }
  return out;
}

}  // namespace cli::cluster
