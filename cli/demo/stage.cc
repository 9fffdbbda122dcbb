#include "cli/demo/stage.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/admin/client.h"
#include "cli/demo/examples.h"
#include "cli/http/client.h"
#include "cli/interrupt.h"
#include "cli/sibling_program.h"

namespace cli::demo {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kCommandLimit = std::chrono::seconds(30);
constexpr std::string_view kService = "greeter-service";
constexpr std::string_view kServiceHost = "greeter-service.default.svc.cluster.local";
constexpr std::string_view kUrl = "http://greeter-service:3000";
constexpr std::string_view kVip = "127.30.0.1:3000";  // as in services.yaml

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

base::SocketAddress loopback(std::uint16_t port) {
  return base::SocketAddress::parse("127.0.0.1:" + std::to_string(port)).value();
}

// A port that nobody listens on now. The agent reads its ports from a document, so it cannot choose them itself.
base::Result<std::uint16_t> free_port() {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t length = loopback(0).to_sockaddr(storage);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return base::fail_errno("bind");
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return base::fail_errno("getsockname");
  return base::SocketAddress::from_sockaddr(storage).port;
}

std::string replace_once(std::string text, std::string_view from, const std::string& to) {
  const auto at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

bool is_in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::stringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string last_lines(const std::string& text) {
  auto start = text.size();
  for (int lines = 0; lines < 4 && start != std::string::npos && start > 0; ++lines)
    start = text.rfind('\n', start - 1);
  return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

// As a shell would want it.
std::string typed(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    const bool is_plain = word.find_first_of(" '\"?&*$|;<>()\\") == std::string::npos;
    text += (text.empty() ? "" : " ") + (is_plain ? word : "'" + word + "'");
  }
  return text;
}

std::vector<std::string> operator+(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

base::Result<std::unique_ptr<Stage>> Stage::set_up(const StageOptions& options) {
  auto directory = TemporaryDirectory::create("fairlead-demo");
  if (!directory) return tl::unexpected(directory.error());
  std::unique_ptr<Stage> stage(new Stage(options, std::move(*directory)));
  // The proxy runs as another user and must reach nothing here but what it is handed; helloweb's user is ours.
  if (auto written = write_examples(stage->directory_.path()); !written) return tl::unexpected(written.error());
  if (auto started = stage->start_greeters(); !started) return tl::unexpected(started.error());
  if (auto started = stage->start_agent(); !started) return tl::unexpected(started.error());
  if (auto started = stage->start_helloweb(); !started) return tl::unexpected(started.error());
  return stage;
}

Stage::~Stage() {
  helloweb_.stop(std::chrono::seconds(1));
  placement_.reset();
  agent_.stop(std::chrono::seconds(5));
}

base::Result<Process> Stage::start_program(const std::string& name, ProcessSpec spec) {
  const base::UniqueFd out(
      ::open((directory_ / (name + ".out")).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const base::UniqueFd err(
      ::open((directory_ / (name + ".err")).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const base::UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!out || !err || !in) return base::fail_errno("create " + directory_ / name);
  spec.stdin_fd = in.get();
  spec.stdout_fd = out.get();
  spec.stderr_fd = err.get();
  spec.is_own_group = true;
  spec.ends_with_us = true;
  return Process::start(spec);
}

base::Result<> Stage::wait_until(const std::string& what, const std::function<base::Result<bool>()>& is_true) {
  const auto deadline = base::now() + kPatience;
  while (base::now() < deadline) {
    if (interruption() != 0) return base::fail(base::Errc::unavailable, "interrupted");
    const auto answer = is_true();
    if (!answer) return tl::unexpected(answer.error());
    if (*answer) return {};
    if (auto dead = casualty()) return base::fail(base::Errc::unavailable, *dead);
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // between two questions
  }
  return base::fail(base::Errc::unavailable, what + " does not happen within 10 s");
}

base::Result<std::uint16_t> Stage::wait_for_port(const std::string& name, const std::string& log) {
  std::uint16_t port = 0;
  const std::string mark = " listens on 127.0.0.1:";
  const auto waited = wait_until("'" + name + mark + "PORT'", [&]() -> base::Result<bool> {
    const auto text = read_file(log);
    const auto at = text.find(mark);
    if (at == std::string::npos || text.find('\n', at) == std::string::npos) return false;
    port = static_cast<std::uint16_t>(std::strtoul(text.c_str() + at + mark.size(), nullptr, 10));
    return true;
  });
  if (!waited) return tl::unexpected(waited.error());
  return port;
}

base::Result<> Stage::start_greeters() {
  for (std::size_t i = 0; i < greeters_.size(); ++i) {
    const std::string version = "v" + std::to_string(i + 1);
    auto process = start_program("greeter-" + version, {.arguments = {"python3", directory_ / "greeter.py", "--version",
                                                                      version, "--listen", "127.0.0.1:0"}});
    if (!process) return tl::unexpected(process.error());
    greeters_[i].process = std::move(*process);
    greeters_[i].log = directory_ / ("greeter-" + version + ".out");
  }
  for (std::size_t i = 0; i < greeters_.size(); ++i) {
    const std::string name = "greeter v" + std::to_string(i + 1);
    const auto port = wait_for_port(name, directory_ / ("greeter-v" + std::to_string(i + 1) + ".err"));
    if (!port) return tl::unexpected(port.error());
    greeters_[i].port = *port;
  }
  return {};
}

std::string Stage::documents_of_services() const {
  std::string text(example("services.yaml"));
  for (std::size_t i = 0; i < greeters_.size(); ++i) {
    text = replace_once(std::move(text), "http: 300" + std::to_string(i + 1),
                        "http: " + std::to_string(greeters_[i].port));
  }
  return text;
}

std::string Stage::settings_document() const {
  return "apiVersion: fairlead.dev/v1alpha1\n"
         "kind: Settings\n"
         "metadata:\n"
         "  name: demo\n"
         "spec:\n"
         "  semantics: " +
         std::string(options_.semantics == config::Semantics::legacy ? "legacy" : "istio") +
         "\n"
         "  admin:\n"
         "    address: " +
         admin_.to_string() + "\n";
}

base::Result<> Stage::start_agent() {
  const auto admin_port = free_port();
  const auto listener_port = free_port();
  if (!admin_port) return tl::unexpected(admin_port.error());
  if (!listener_port) return tl::unexpected(listener_port.error());
  admin_ = loopback(*admin_port);
  listener_port_ = *listener_port;
  std::error_code ignored;
  std::filesystem::create_directory(documents(), ignored);
  for (const auto& [name, text] :
       {std::pair{"services.yaml", documents_of_services()}, {"settings.yaml", settings_document()}}) {
    if (auto written = write_file(documents() + "/" + name, text); !written) return written;
  }
  ProcessSpec spec{.arguments = {sibling_program("fairlead-agent"), "-f", documents()}};
  if (!options_.uses_bpf) {
    spec.arguments = spec.arguments +
                     std::vector<std::string>{"--no-bpf",
                                              "--admin",
                                              admin_.to_string(),
                                              "--as",
                                              "helloweb.default",
                                              "--listen",
                                              "127.0.0.1:" + std::to_string(listener_port_) + "=" + std::string(kVip)};
  }
  auto process = start_program("agent", std::move(spec));
  if (!process) return base::fail(process.error().code, process.error().message + "; it belongs beside fairlead");
  agent_ = std::move(*process);
  return wait_until("the agent's readiness", [&]() -> base::Result<bool> {
    const auto ready = http::get({.address = admin_, .target = "/readyz"});
    return ready && ready->status == 200;
  });
}

base::Result<> Stage::start_helloweb() {
  ProcessSpec spec{.arguments = {"python3", directory_ / "helloweb.py", "--listen", "127.0.0.1:0"}};
  if (options_.uses_bpf) {
    auto placement = exec::Placement::prepare(admin_, "default", "helloweb", "demo-" + std::to_string(::getpid()));
    if (!placement) return tl::unexpected(placement.error());
    placement_.emplace(std::move(*placement));
    placement_->apply_to(spec);
  } else {
    // Nobody redirects here, so helloweb is told where to connect in the way every HTTP client knows.
    spec.environment = {{"http_proxy", "http://127.0.0.1:" + std::to_string(listener_port_)}, {"no_proxy", ""}};
  }
  auto process = start_program("helloweb", std::move(spec));
  if (!process) return tl::unexpected(process.error());
  helloweb_ = std::move(*process);
  const auto port = wait_for_port("helloweb", directory_ / "helloweb.err");
  if (!port) return tl::unexpected(port.error());
  helloweb_port_ = *port;
  return {};
}

base::Result<> Stage::apply(const std::string& policy) {
  const auto ask = [&]() -> base::Result<admin::NodeView> {
    const auto page = admin::fetch(admin_, "/config_dump");
    if (!page) return tl::unexpected(page.error());
    return admin::parse_node(*page);
  };
  const auto before = ask();
  if (!before) return tl::unexpected(before.error());
  // Renamed into place, so that nobody reads half a document.
  auto written = write_file(directory_ / "policy.new", example(policy));
  if (!written) return written;
  if (::rename((directory_ / "policy.new").c_str(), (documents() + "/policy.yaml").c_str()) != 0) {
    return base::fail_errno("rename policy.yaml");
  }
  return wait_until("that the proxy enforces " + policy, [&]() -> base::Result<bool> {
    const auto node = ask();
    if (!node) return tl::unexpected(node.error());
    for (const auto& document : node->policies) {
      if (document.state == "rejected") {
        return base::fail(
            base::Errc::invalid,
            policy + " is rejected: " + (document.findings.empty() ? "?" : document.findings.front().message));
      }
    }
    return node->generation > before->generation && node->is_proxy_up && node->proxy_generation == node->generation;
  });
}

void Stage::break_greeter(bool is_broken) { greeters_[0].process.signal(is_broken ? SIGUSR1 : SIGUSR2); }

base::Result<Sums> Stage::requests_by(const std::vector<std::string>& by) const {
  const auto page = admin::fetch(admin_, "/metrics");
  if (!page) return tl::unexpected(page.error());
  return sum_by(parse_metrics(*page), "istio_requests_total",
                {{"destination_app", std::string(kService)}, {"reporter", "source"}}, by);
}

base::Result<double> Stage::redirected_connections() const {
  const auto page = admin::fetch(admin_, "/metrics");
  if (!page) return tl::unexpected(page.error());
  const auto sums = sum_by(parse_metrics(*page), "fairlead_redirects_total", {{"verdict", "redirected"}}, {});
  return sums.empty() ? 0 : sums.begin()->second;
}

std::vector<Arrival> Stage::new_arrivals() {
  std::vector<Arrival> arrivals;
  for (auto& greeter : greeters_) {
    const auto log = read_file(greeter.log);
    const auto fresh = std::string_view(log).substr(std::min(greeter.read, log.size()));
    const auto whole = fresh.substr(0, fresh.rfind('\n') + 1);
    greeter.read += whole.size();
    for (auto& arrival : parse_arrivals(whole)) arrivals.push_back(std::move(arrival));
  }
  std::sort(arrivals.begin(), arrivals.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  return arrivals;
}

base::Result<std::vector<admin::EndpointView>> Stage::endpoints() const {
  const auto page = admin::fetch(admin_, "/clusters?format=json");
  if (!page) return tl::unexpected(page.error());
  const auto backends = admin::parse_backends(*page);
  if (!backends) return tl::unexpected(backends.error());
  const std::string name = "outbound|3000||" + std::string(kServiceHost);
  for (const auto& backend : *backends) {
    if (backend.name == name && backend.source.find("helloweb") != std::string::npos) return backend.endpoints;
  }
  return base::fail(base::Errc::not_found, "/clusters does not list " + name + " for helloweb");
}

Stage::Command Stage::call_helloweb(const std::string& target) const {
  const std::string url = "http://127.0.0.1:" + std::to_string(helloweb_port_) + target;
  if (is_in_path("curl")) return {typed({"curl", url}), {"curl", "-sS", "--max-time", "20", url}};
  return {typed({"fairlead", "load", "-curl", url}),
          {sibling_program("fairlead"), "load", "-curl", "-timeout", "20s", url}};
}

Stage::Command Stage::load_helloweb(const std::vector<std::string>& arguments) const {
  const auto words = std::vector<std::string>{"load"} + arguments +
                     std::vector<std::string>{"http://127.0.0.1:" + std::to_string(helloweb_port_) + "/"};
  return {typed(std::vector<std::string>{"fairlead"} + words),
          std::vector<std::string>{sibling_program("fairlead")} + words};
}

Stage::Command Stage::load_greeter(const std::vector<std::string>& arguments) const {
  const auto self = sibling_program("fairlead");
  const auto load = std::vector<std::string>{"load"} + arguments;
  if (!options_.uses_bpf) {
    const auto words = load + std::vector<std::string>{"-H", "Host: greeter-service:3000",
                                                       "http://127.0.0.1:" + std::to_string(listener_port_) + "/hello"};
    return {typed(std::vector<std::string>{"fairlead"} + words), std::vector<std::string>{self} + words};
  }
  const std::vector<std::string> placed{"exec", "--as", "load", "--"};
  const auto words = load + std::vector<std::string>{std::string(kUrl) + "/hello"};
  return {typed(std::vector<std::string>{"fairlead"} + placed + std::vector<std::string>{"fairlead"} + words),
          std::vector<std::string>{self} + placed + std::vector<std::string>{self} + words};
}

Stage::Command Stage::analyze() const {
  const std::vector<std::string> words{"analyze", "-f", documents()};
  return {typed(std::vector<std::string>{"fairlead"} + words),
          std::vector<std::string>{sibling_program("fairlead")} + words};
}

base::Result<Stage::Output> Stage::run(const Command& command) const {
  const std::string path = directory_ / "command.out";
  const base::UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const base::UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!out || !in) return base::fail_errno("create " + path);
  auto process = Process::start({.arguments = command.arguments,
                                 .environment = {{"FAIRLEAD_ADMIN", admin_.to_string()}},
                                 .stdin_fd = in.get(),
                                 .stdout_fd = out.get(),
                                 .stderr_fd = out.get(),
                                 .is_own_group = true,
                                 .ends_with_us = true});
  if (!process) return tl::unexpected(process.error());
  const auto deadline = base::now() + kCommandLimit;
  std::optional<int> exit_code;
  while (!exit_code) {
    if (interruption() != 0) return base::fail(base::Errc::unavailable, "interrupted");
    if (base::now() >= deadline)
      return base::fail(base::Errc::unavailable, "'" + command.typed + "' takes longer than 30 s");
    exit_code = process->wait(base::now() + std::chrono::milliseconds(50));
  }
  return Output{*exit_code, read_file(path)};
}

std::vector<std::string> Stage::callers() const {
  return options_.uses_bpf ? std::vector<std::string>{"helloweb", "load"} : std::vector<std::string>{"helloweb"};
}

std::optional<std::string> Stage::casualty() {
  const auto says = [&](const std::string& name) {
    return name + " has ended:\n" + last_lines(read_file(directory_ / (name + ".err")));
  };
  for (std::size_t i = 0; i < greeters_.size(); ++i) {
    if (greeters_[i].process.pid() > 0 && !greeters_[i].process.is_running())
      return says("greeter-v" + std::to_string(i + 1));
  }
  if (agent_.pid() > 0 && !agent_.is_running()) return says("agent");
  if (helloweb_.pid() > 0 && !helloweb_.is_running()) return says("helloweb");
  return std::nullopt;
}

}  // namespace cli::demo
