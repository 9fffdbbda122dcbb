#include "proxy/server.h"

#include <fcntl.h>

#include <mutex>
#include <set>
#include <thread>

#include "proxy/worker.h"

namespace proxy {
namespace {

config::EndpointStatus status_of(const upstream::SharedBackend& backend, const upstream::SharedEndpoint& endpoint,
                                 base::TimePoint now) {
  config::EndpointStatus status;
  status.address = endpoint.address;
  status.active_requests = endpoint.active_requests.load();
  status.connections = endpoint.connections.load();
  if (const auto ejection = backend.ejection(endpoint)) {
    status.is_ejected = true;
    status.ejection_reason = policy::to_string(ejection->reason);
    status.returns_in = std::max(std::chrono::milliseconds{0},
                                 std::chrono::duration_cast<std::chrono::milliseconds>(ejection->until - now));
    status.times_ejected = ejection->times;
  }
  return status;
}

config::BackendStatus status_of(const upstream::SharedPod& pod, const std::string& name,
                                upstream::SharedBackend& backend, base::TimePoint now) {
  backend.advance(now);
  config::BackendStatus status;
  status.pod = pod.id();
  status.backend = name;
  status.connections = backend.limits.connections.in_use();
  status.pending = backend.limits.pending.in_use();
  status.requests = backend.limits.requests.in_use();
  status.retries = backend.limits.retries.in_use();
  status.pending_overflow = backend.pending_overflow.load();
  status.retry_overflow = backend.retry_overflow.load();
  status.ejections_suppressed = backend.ejections_suppressed.load();
  for (const auto& endpoint : backend.endpoints()) status.endpoints.push_back(status_of(backend, *endpoint, now));
  return status;
}

}  // namespace

struct Server::Impl {
  std::unique_ptr<Demands> demands;
  upstream::SharedPods pods;
  std::vector<std::unique_ptr<Worker>> workers;
  std::shared_ptr<const Snapshot> snapshot;
};

Server::Server() : impl_(std::make_unique<Impl>()) {}

Server::~Server() {
  for (const auto& worker : impl_->workers) worker->stop();
}

base::Result<std::unique_ptr<Server>> Server::start(ServerOptions options, telemetry::ShardSet& shards) {
  std::unique_ptr<Server> server(new Server);
  auto demands = Demands::create();
  if (!demands) return tl::unexpected(demands.error());
  server->impl_->demands = std::move(*demands);
  for (std::uint32_t i = 0; i < options.workers; ++i) {
    auto ring = i < options.send_rings.size() ? std::move(options.send_rings[i]) : nullptr;
    auto worker = Worker::create(i, std::move(ring), shards, server->impl_->pods, *server->impl_->demands,
                                 std::max<std::uint64_t>(options.descriptors / 2 / options.workers, 1));
    if (!worker) return tl::unexpected(worker.error());
    server->impl_->workers.push_back(std::move(*worker));
  }
  for (const auto& worker : server->impl_->workers) worker->start();
  return server;
}

base::Result<> Server::apply(std::shared_ptr<const config::NodeConfig> config) {
  auto snapshot = Snapshot::build(std::move(config), base::now());
  if (!snapshot) return tl::unexpected(snapshot.error());
  impl_->snapshot = *snapshot;
  for (const auto& worker : impl_->workers) worker->apply(*snapshot);
  return {};
}

void Server::set_pods(std::vector<config::Pod> pods) {
  const auto shared = std::make_shared<const std::vector<config::Pod>>(std::move(pods));
  for (const auto& worker : impl_->workers) worker->set_pods(shared);
}

void Server::add_listener(ListenerSpec listener) {
  for (std::size_t i = 0; i < listener.sockets.size(); ++i) {
    // More sockets than workers: a worker takes several, so that no queue is left unserved.
    impl_->workers[i % impl_->workers.size()]->add_listener(listener.id, std::move(listener.sockets[i]),
                                                            listener.fixed);
  }
}

void Server::remove_listener(std::uint64_t id) {
  for (const auto& worker : impl_->workers) worker->remove_listener(id);
}

void Server::set_access_log(base::UniqueFd file) {
  for (const auto& worker : impl_->workers) {
    worker->set_access_log(base::UniqueFd(file ? ::fcntl(file.get(), F_DUPFD_CLOEXEC, 0) : -1));
  }
}

Demands& Server::demands() { return *impl_->demands; }

void Server::add_sockets(const SocketDemand& demand, std::vector<base::UniqueFd> sockets) {
  if (demand.worker >= impl_->workers.size()) return;
  impl_->workers[demand.worker]->add_sockets(demand.pod, demand.family, std::move(sockets));
}

void Server::on_no_service(const base::IpAddress& address) {
  for (const auto& worker : impl_->workers) worker->on_no_service(address);
}

void Server::on_new_agent() {
  for (const auto& worker : impl_->workers) worker->on_new_agent();
}

void Server::ask_for_sign_of_life(std::uint64_t sequence, bool asks_for_services) {
  struct Gathering {
    std::mutex mutex;
    std::size_t missing;
    std::set<std::string> used;
  };
  const auto gathering = std::make_shared<Gathering>();
  gathering->missing = impl_->workers.size();
  for (const auto& worker : impl_->workers) {
    worker->loop().post([=, &worker = *worker, &demands = *impl_->demands] {
      const std::lock_guard lock(gathering->mutex);
      if (asks_for_services) gathering->used.merge(worker.take_services_in_use());
      if (--gathering->missing != 0) return;
      SignOfLife sign{.sequence = sequence};
      if (asks_for_services) sign.used.emplace(gathering->used.begin(), gathering->used.end());
      demands.push(sign);
    });
  }
}

bool Server::drain(base::TimePoint deadline) {
  for (const auto& worker : impl_->workers) worker->begin_drain();
  const auto open = [this] {
    std::uint32_t count = 0;
    for (const auto& worker : impl_->workers) count += worker->open_connections();
    return count;
  };
  while (open() != 0) {
    if (base::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<config::BackendStatus> Server::status() {
  std::vector<config::BackendStatus> all;
  const base::TimePoint now = base::now();
  for (const auto& pod : impl_->pods.list()) {
    for (const upstream::SharedPod::Entry& entry : pod->backends()) {
      all.push_back(status_of(*pod, entry.name, *entry.backend, now));
    }
  }
  return all;
}

}  // namespace proxy
