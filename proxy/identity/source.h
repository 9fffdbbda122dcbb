#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/model/node_config.h"
#include "proxy/engine/byte_account.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/shared_pod.h"
#include "proxy/upstream/worker_backend.h"

namespace proxy {

// A generation as one worker uses it: requests count themselves in and out without touching an atomic.
struct PinnedSnapshot {
  explicit PinnedSnapshot(std::shared_ptr<const Snapshot> generation)
      : snapshot(std::move(generation)), is_used(snapshot->config->services.size()) {}

  // REQUIRES: `service` is one of this generation.
  void use(const config::Service& service) {
    is_used[static_cast<std::size_t>(&service - snapshot->config->services.data())] = true;
  }

  std::shared_ptr<const Snapshot> snapshot;
  std::uint32_t requests = 0;
  std::vector<bool> is_used;  // by service, since somebody asked
};

// One source pod as one worker knows it: who it is, and its pools. Upstream connections carry the pod's identity and
// are never lent to another.
class Source {
 public:
  Source(WorkerContext& context, upstream::SharedPods& shared, config::Pod pod);

  [[nodiscard]] const config::Pod& pod() const { return pod_; }
  void set_pod(config::Pod pod) { pod_ = std::move(pod); }
  // nullptr for a pod in the node's network namespace.
  [[nodiscard]] upstream::PodSockets* sockets() { return sockets_.get(); }
  // nullptr when the configuration does not know the pod's workload (any more).
  [[nodiscard]] const config::Workload* workload(const Snapshot& snapshot) const;

  // The pools for a backend of this snapshot, made on first use.
  upstream::WorkerBackend& backend(const std::shared_ptr<const Snapshot>& snapshot, std::uint32_t index);
  // For the original destination itself: unknown hosts, bytes that are not HTTP.
  upstream::WorkerBackend& passthrough(const base::SocketAddress& address) {
    return direct("PassthroughCluster/", address);
  }
  upstream::WorkerBackend& tcp_passthrough(const base::SocketAddress& address) {
    return direct("PassthroughTcp/", address);
  }

  // Now and then: drops pools that are not used any more, counts ejections.
  void keep_house(base::TimePoint now);

  // Downstream connections: the pod's limit counts for the node.
  bool try_add_connection(std::uint32_t most);
  void remove_connection();
  [[nodiscard]] bool has_connections() const { return connections_ != 0; }  // on this worker

  // What is kept for the pod; the limit counts for the node.
  [[nodiscard]] engine::ByteAccount& buffered() { return buffered_; }

 private:
  upstream::WorkerBackend& direct(const char* kind, const base::SocketAddress& address);

  WorkerContext& context_;
  std::shared_ptr<upstream::SharedPod> shared_;
  engine::ByteAccount buffered_;
  std::uint64_t shown_buffered_ = 0;  // in the metrics
  config::Pod pod_;
  std::uint32_t connections_ = 0;
  std::unique_ptr<upstream::PodSockets> sockets_;  // before backends_: their connections may wait there
  std::unordered_map<std::string, std::unique_ptr<upstream::WorkerBackend>> backends_;  // by name
  // Of the generation below, by index: what a request looks up.
  std::unordered_map<std::uint32_t, upstream::WorkerBackend*> by_index_;
  std::uint64_t indexed_generation_ = 0;
};

}  // namespace proxy
