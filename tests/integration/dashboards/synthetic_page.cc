// Serves the agent's metrics page, filled with the traffic of a small mesh through the proxy's own counters. Each
// scrape finds more of it. Prints its port and ends when its standard input does.
//
//   default/helloweb v1 ──▶ default/greeter-service (greeter-service-v1, -v2)   200, 404, 503 UO, 504 UT, 503 URX,UF
//   other/batch      ──▶ default/greeter-service                                200, 503 UH
//   default/helloweb v1 ──▶ default/db (TCP)

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "agent/telemetry/identity_table.h"
#include "agent/telemetry/metrics_page.h"
#include "agent/telemetry/negotiation.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "proxy/telemetry/worker_telemetry.h"

namespace {

using namespace std::chrono_literals;
using namespace agent::telemetry;
using namespace proxy::telemetry;

config::WorkloadIdentity identity(const std::string& workload, const std::string& name_space, const std::string& app,
                                  const std::string& version) {
  return {.workload = workload,
          .workload_namespace = name_space,
          .app = app,
          .version = version,
          .canonical_service = app,
          .canonical_revision = version};
}

config::Service service(const std::string& name) {
  config::Service result;
  result.host = name + ".default.svc.cluster.local";
  result.name = name;
  result.name_space = "default";
  result.app = name;
  return result;
}

config::Endpoint endpoint(std::string_view address, config::WorkloadIdentity who) {
  return {.address = *base::SocketAddress::parse(address), .identity = std::move(who)};
}

config::Workload workload(config::WorkloadIdentity who) {
  config::Workload result;
  result.name = who.workload;
  result.name_space = who.workload_namespace;
  result.identity = std::move(who);
  return result;
}

class Mesh {
 public:
  Mesh() {
    config_.services = {service("greeter-service"), service("db")};
    config_.workloads = {workload(identity("helloweb", "default", "helloweb", "v1")),
                         workload(identity("batch", "other", "batch", "v3"))};
    config_.backends.resize(1);
    config_.backends[0].endpoints = {
        endpoint("10.244.2.1:3000", identity("greeter-service-v1", "default", "greeter-service", "v1")),
        endpoint("10.244.2.2:3000", identity("greeter-service-v2", "default", "greeter-service", "v2")),
        endpoint("10.244.2.9:5432", identity("db", "default", "db", "v1"))};
    names_.assign(config_);
    for (config::Pod& pod : pods_) names_.assign(pod);
    node_.version = "0.1.0";
    node_.revision = "test";
    node_.kernel = "6.1.0";
    node_.is_proxy_up = true;
    node_.agent_pid = node_.proxy_pid = getpid();
  }

  void generate() {
    for (int i = 0; i < 20; ++i) {
      const auto& answering = greeter(i);
      exchange(0, answering, 200, 0, 200, 0);
      exchange(1, answering, 200, 0, 200, 0);
    }
    exchange(0, greeter(0), 404, 0, 404, 0);
    exchange(0, greeter(1), 504, kUpstreamRequestTimeout, 0, kDownstreamConnectionTermination);
    exchange(0, greeter(0), 503, 0, 503, 0);
    refuse(0, kUpstreamOverflow);
    refuse(1, kNoHealthyUpstream);
    auto failed = request(0, 503, kUpstreamRetryLimitExceeded | kUpstreamConnectionFailure);
    failed.endpoint = &greeter(0);
    worker_.on_request(failed);
    const TcpRecord tcp{.config = &config_,
                        .pod = &pods_[0],
                        .source = &config_.workloads[0].identity,
                        .service = &config_.services[1],
                        .endpoint = &config_.backends[0].endpoints[2]};
    worker_.on_tcp_opened(tcp);
    worker_.on_tcp_bytes(tcp, 10'000, 500);
    worker_.on_tcp_closed(tcp);
    worker_.tick();
  }

  std::string answer(const ScrapeRequest& request) {
    const ScrapeHead head = negotiate(request);
    const std::string body = page_.render(head, node_, base::now());
    std::string text = "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(head.content_type);
    if (!head.content_encoding.empty()) text += "\r\nContent-Encoding: " + std::string(head.content_encoding);
    return text + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  }

 private:
  const config::Endpoint& greeter(int i) { return config_.backends[0].endpoints[i % 2 == 0 ? 0 : 1]; }

  RequestRecord request(std::size_t source, std::uint16_t code, std::uint32_t flags) {
    RequestRecord record;
    record.config = &config_;
    record.pod = &pods_[source];
    record.source = &config_.workloads[source].identity;
    record.service = &config_.services[0];
    record.response_code = code;
    record.flags = flags;
    record.duration = 12ms;
    record.request_wire_bytes = 180;
    record.response_wire_bytes = 1200;
    return record;
  }
  // A request and its one attempt, as both ends report them.
  void exchange(std::size_t source, const config::Endpoint& answering, std::uint16_t code, std::uint32_t flags,
                std::uint16_t answered_code, std::uint32_t answered_flags) {
    auto record = request(source, code, flags);
    record.endpoint = &answering;
    worker_.on_request(record);
    AttemptRecord attempt;
    attempt.config = record.config;
    attempt.pod = record.pod;
    attempt.source = record.source;
    attempt.service = record.service;
    attempt.endpoint = &answering;
    attempt.was_sent = true;
    attempt.response_code = answered_code;
    attempt.flags = answered_flags;
    attempt.duration = 11ms;
    attempt.request_wire_bytes = 220;
    attempt.response_wire_bytes = 1150;
    worker_.on_attempt(attempt);
  }
  void refuse(std::size_t source, std::uint32_t flags) { worker_.on_request(request(source, 503, flags)); }

  config::NodeConfig config_;
  std::array<config::Pod, 2> pods_ = {
      config::Pod{.cgroup_id = 1, .name = "helloweb-1", .name_space = "default"},
      config::Pod{.cgroup_id = 2, .name = "batch-1", .name_space = "other", .workload = 1}};
  IdentityTable names_;
  NodeState node_;
  telemetry::SharedMemory memory_ = *telemetry::SharedMemory::create(1, 500);
  std::unique_ptr<ShardSet> shards_ = *ShardSet::attach(*memory_.duplicate_fd());
  WorkerTelemetry worker_{*shards_, 0};
  MetricsPage page_{*telemetry::SharedMemory::open(*memory_.duplicate_fd()), names_, {}};
};

std::string_view header(std::string_view head, std::string_view name) {
  const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

void serve(Mesh& mesh, int listener) {
  const base::UniqueFd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  std::string head;
  char buffer[4096];
  while (!head.ends_with("\r\n\r\n")) {
    const ssize_t n = recv(connection.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return;
    head.append(buffer, static_cast<std::size_t>(n));
  }
  mesh.generate();
  const std::string answer =
      mesh.answer({.accept = header(head, "Accept"), .accept_encoding = header(head, "Accept-Encoding")});
  for (std::size_t sent = 0; sent < answer.size();) {
    const ssize_t n = send(connection.get(), answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

}  // namespace

int main() {
  const base::UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener.get(), 16) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::cerr << "cannot listen on loopback\n";
    return 1;
  }
  std::cout << ntohs(address.sin_port) << '\n' << std::flush;
  Mesh mesh;
  std::array<pollfd, 2> events = {
      {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = listener.get(), .events = POLLIN, .revents = 0}}};
  while (poll(events.data(), events.size(), -1) > 0 && events[0].revents == 0) {
    if (events[1].revents != 0) serve(mesh, listener.get());
  }
}
