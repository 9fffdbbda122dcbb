#include "tests/support/local_proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "agent/telemetry/metrics_page.h"
#include "config/compile/compile.h"
#include "telemetry/shared_memory.h"

namespace tests::support {
namespace {

constexpr int kLogPatience = 10'000;  // ms
constexpr const char* kVip = "127.77.0.9:3000";

base::UniqueFd listen_on_loopback(base::SocketAddress& address) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = base::SocketAddress::parse("127.0.0.1:0")->to_sockaddr(storage);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 || ::listen(socket.get(), 256) != 0) {
    throw std::runtime_error("listen on loopback");
  }
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  address = base::SocketAddress::from_sockaddr(storage);
  return socket;
}

}  // namespace

std::string virtual_service(const std::string& http) {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: greeter-service}\n"
         "spec:\n  hosts: [greeter-service]\n  http: " +
         http + "\n";
}

std::string destination_rule(const std::string& traffic_policy) {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: greeter-service}\n"
         "spec:\n  host: greeter-service\n  trafficPolicy: " +
         traffic_policy +
         "\n  subsets:\n  - {name: v1, labels: {version: v1}}\n  - {name: v2, labels: {version: v2}}\n";
}

LocalProxy::LocalProxy() : destination_(*base::SocketAddress::parse(kVip)) {}
LocalProxy::~LocalProxy() = default;

FakeUpstream& LocalProxy::add_upstream(Handler handler) { return upstreams_.emplace_back(std::move(handler)); }

std::string LocalProxy::documents(const std::string& policies) const {
  std::string text =
      "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: greeter-service}\nspec:\n"
      "  hosts: [greeter-service.default.svc.cluster.local]\n  addresses: [127.77.0.9]\n  resolution: STATIC\n"
      "  ports: [{number: 3000, name: http, protocol: HTTP}]\n  endpoints:\n";
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    text += "  - {address: 127.0.0.1, ports: {http: " + std::to_string(upstreams_[i].address().port) +
            "}, labels: {app: greeter, version: v" + std::to_string(i + 1) + "}}\n";
  }
  text +=
      "---\napiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: client, labels: {app: client}}\n"
      "spec: {selectors: [{cgroup: /client}]}\n";
  if (!settings_.empty()) {
    text += "---\napiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: test}\nspec: " + settings_ + "\n";
  }
  return text + policies;
}

void LocalProxy::compile_and_apply(const std::string& text) {
  const config::LoadResult loaded = config::load_documents(std::vector<config::SourceFile>{{"test.yaml", text}});
  for (const config::Finding& finding : loaded.findings) {
    if (finding.severity == config::Severity::error) throw std::runtime_error(finding.to_string());
  }
  config::CompileResult compiled = config::compile(loaded.documents, ++generation_);
  identities_.assign(compiled.config);
  compiled.config.settings.access_log_format = config::AccessLogFormat::json;
  compiled.config.settings.access_log_flush_interval = config::Milliseconds(1);
  compiled.config.settings.delayed_close = config::Milliseconds(10);  // no test waits for the usual second
  const auto applied = server_->apply(std::make_shared<const config::NodeConfig>(std::move(compiled.config)));
  if (!applied) throw std::runtime_error(applied.error().message);
}

void LocalProxy::start(const std::string& policies, std::uint32_t workers, const std::string& settings) {
  settings_ = settings;
  listen(workers);
  apply(policies);
}

void LocalProxy::listen(std::uint32_t workers) {
  auto memory = ::telemetry::SharedMemory::create(workers, 1000);
  if (!memory) throw std::runtime_error(memory.error().message);
  auto shards = proxy::telemetry::ShardSet::attach(std::move(*memory->duplicate_fd()));
  if (!shards) throw std::runtime_error(shards.error().message);
  shards_ = std::move(*shards);
  std::vector<std::unique_ptr<proxy::engine::SendRing>> rings;
  for (std::uint32_t i = 0; has_send_rings_ && i < workers; ++i) {
    auto ring = proxy::engine::SendRing::create();
    if (!ring) throw std::runtime_error(ring.error().message);
    rings.push_back(std::move(*ring));
  }
  auto server =
      proxy::Server::start({.workers = workers, .descriptors = descriptors_, .send_rings = std::move(rings)}, *shards_);
  if (!server) throw std::runtime_error(server.error().message);
  server_ = std::move(*server);

  if (!log_file_) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("pipe");
    log_.reset(ends[0]);
    log_file_.reset(ends[1]);
  }
  server_->set_access_log(std::move(log_file_));
  server_->set_pods({{.id = 1, .cgroup_id = 0, .name = "client", .name_space = "default", .workload = 0}});
  proxy::ListenerSpec listener{.id = 1, .sockets = {}, .fixed = {}};
  listener.fixed = {.original_destination = destination_, .pod = 1, .passthrough = passthrough_};
  listener.sockets.push_back(listen_on_loopback(address_));
  server_->add_listener(std::move(listener));
}

void LocalProxy::apply(const std::string& policies) {
  compile_and_apply(documents(policies));
  // The workers hear of it in the order in which they hear of connections.
}

std::string LocalProxy::log_line() {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{log_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kLogPatience) <= 0) throw std::runtime_error("no line in the access log");
    std::array<char, 4096> chunk{};
    const ssize_t size = ::read(log_.get(), chunk.data(), chunk.size());
    if (size <= 0) throw std::runtime_error("the access log has ended");
    unread_.append(chunk.data(), static_cast<std::size_t>(size));
  }
}

std::string LocalProxy::member(const std::string& line, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const auto at = line.find(key);
  if (at == std::string::npos) return "";
  const auto begin = at + key.size();
  const auto end = line[begin] == '"' ? line.find('"', begin + 1) + 1 : line.find_first_of(",}", begin);
  return line.substr(begin, end - begin);
}

std::optional<double> LocalProxy::sample(const std::string& name) const {
  auto memory = ::telemetry::SharedMemory::open(std::move(*shards_->memory().duplicate_fd()));
  agent::telemetry::MetricsPage metrics(std::move(*memory), identities_, {});
  const std::string page = "\n" + metrics.render(agent::telemetry::negotiate({}), {}, base::now());
  const auto at = page.find("\n" + name + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::stod(page.substr(at + name.size() + 2));
}

bool LocalProxy::becomes(const std::string& name, double value) const {
  return becomes_true([&] { return sample(name) == value; });
}

bool LocalProxy::becomes_true(const std::function<bool()>& condition) {
  const base::TimePoint deadline = base::now() + std::chrono::milliseconds(kLogPatience);
  while (!condition()) {
    if (base::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<LocalProxy::Ejection> LocalProxy::ejections() {
  std::vector<Ejection> all;
  for (const config::BackendStatus& backend : server_->status()) {
    for (const config::EndpointStatus& endpoint : backend.endpoints) {
      if (endpoint.is_ejected) {
        all.push_back({endpoint.address.to_string(), endpoint.ejection_reason, endpoint.times_ejected});
      }
    }
  }
  return all;
}

std::uint64_t LocalProxy::ejections_suppressed() {
  std::uint64_t sum = 0;
  for (const config::BackendStatus& backend : server_->status()) sum += backend.ejections_suppressed;
  return sum;
}

}  // namespace tests::support
