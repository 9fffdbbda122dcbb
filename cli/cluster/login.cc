#include "cli/cluster/login.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/process.h"

namespace cli::cluster {
namespace {

namespace json = boost::json;
using agent::kube::ClientConfig;
using agent::kube::LoginProgram;

constexpr std::chrono::minutes kPatience{2};  // a person may have to type something
constexpr std::size_t kMaxAnswerBytes = std::size_t{1} << 20U;

std::string text(const json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// KUBERNETES_EXEC_INFO: what the program is told.
std::string exec_info(const ClientConfig& config, const LoginProgram& login) {
  json::object spec{{"interactive", ::isatty(STDIN_FILENO) == 1}};
  if (login.wants_cluster_info) {
    const std::string host = config.host.find(':') == config.host.npos ? config.host : "[" + config.host + "]";
    json::object cluster{{"server", "https://" + host + ":" + std::to_string(config.port) + config.base_path}};
    if (config.server_name != config.host) cluster["tls-server-name"] = config.server_name;
    if (!config.verifies_server) cluster["insecure-skip-tls-verify"] = true;
    spec["cluster"] = std::move(cluster);
  }
  return json::serialize(
      json::object{{"apiVersion", login.api_version}, {"kind", "ExecCredential"}, {"spec", std::move(spec)}});
}

base::Result<std::string> output_of(const ClientConfig& config, const LoginProgram& login) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("pipe");
  const base::UniqueFd from(ends[0]);
  base::UniqueFd to(ends[1]);
  ProcessSpec spec{.arguments = login.command, .environment = login.environment, .stdout_fd = to.get()};
  spec.environment.emplace_back("KUBERNETES_EXEC_INFO", exec_info(config, login));
  spec.ends_with_us = true;
  auto process = Process::start(spec);
  if (!process) return tl::unexpected(process.error());
  to.reset();
  std::string output;
  char chunk[4096];
  for (;;) {
    const ssize_t size = ::read(from.get(), chunk, sizeof chunk);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || output.size() > kMaxAnswerBytes) break;
    output.append(chunk, static_cast<std::size_t>(size));
  }
  const auto code = process->wait(base::now() + kPatience);
  if (code != 0) {
    return base::fail(base::Errc::permission,
                      code ? "it ended with " + std::to_string(*code) : std::string("it does not end"));
  }
  return output;
}

}  // namespace

base::Result<> read_credential(std::string_view text_of_it, ClientConfig& config) {
  json::error_code error;
  const json::value answer = json::parse(text_of_it, error);
  const auto* const object = error ? nullptr : answer.if_object();
  const auto* const status = object == nullptr ? nullptr : object->if_contains("status");
  if (status == nullptr || !status->is_object()) {
    return base::fail(base::Errc::invalid, "what it printed is not an ExecCredential with a status");
  }
  config.token = {.text = text(status->get_object(), "token")};
  config.client_certificate = {.text = text(status->get_object(), "clientCertificateData")};
  config.client_key = {.text = text(status->get_object(), "clientKeyData")};
  if (static_cast<bool>(config.client_certificate) != static_cast<bool>(config.client_key)) {
    return base::fail(base::Errc::invalid, "it printed a certificate without its key, or the other way round");
  }
  if (!config.token && !config.client_certificate) {
    return base::fail(base::Errc::invalid, "it printed neither a token nor a certificate");
  }
  return {};
}

base::Result<> log_in(ClientConfig& config) {
  if (!config.login) return {};
  const auto explain = [&](const base::Error& error) {
    return base::fail(error.code, "cannot log in with " + config.login->command.front() + ", which " + config.origin +
                                      " names: " + error.message);
  };
  const auto output = output_of(config, *config.login);
  if (!output) return explain(output.error());
  if (auto read = read_credential(*output, config); !read) return explain(read.error());
  return {};
}

}  // namespace cli::cluster
