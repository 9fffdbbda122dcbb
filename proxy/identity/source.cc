#include "proxy/identity/source.h"

#include "proxy/worker_context.h"

namespace proxy {
namespace {

telemetry::EjectionCause cause(policy::EjectionReason reason) {
  switch (reason) {
    case policy::EjectionReason::consecutive_5xx:
      return telemetry::EjectionCause::consecutive_5xx;
    case policy::EjectionReason::consecutive_gateway:
      return telemetry::EjectionCause::consecutive_gateway;
    case policy::EjectionReason::consecutive_local:
      break;
  }
  return telemetry::EjectionCause::consecutive_local;
}

}  // namespace

Source::Source(WorkerContext& context, upstream::SharedPods& shared, config::Pod pod)
    : context_(context),
      shared_(shared.find_or_make(pod.id)),
      buffered_({shared_->buffered_bytes, context.pod_buffer_bytes},
                {shared.buffered_bytes, context.node_buffer_bytes}),
      pod_(std::move(pod)) {
  if (!pod_.has_own_network) return;
  sockets_ = std::make_unique<upstream::PodSockets>(context_.demands, pod_.id, context_.worker);
  sockets_->demand_again();
}

const config::Workload* Source::workload(const Snapshot& snapshot) const {
  const auto& workloads = snapshot.config->workloads;
  return pod_.workload < workloads.size() ? &workloads[pod_.workload] : nullptr;
}

bool Source::try_add_connection(std::uint32_t most) {
  if (shared_->connections.fetch_add(1, std::memory_order_relaxed) >= most) {
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  ++connections_;
  return true;
}

void Source::remove_connection() {
  --connections_;
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
}

upstream::WorkerBackend& Source::backend(const std::shared_ptr<const Snapshot>& snapshot, std::uint32_t index) {
  if (indexed_generation_ != snapshot->config->generation) {
    by_index_.clear();
    indexed_generation_ = snapshot->config->generation;
  }
  upstream::WorkerBackend*& cached = by_index_[index];
  if (cached != nullptr) return *cached;

  const config::Backend& wanted = snapshot->config->backends[index];
  std::unique_ptr<upstream::WorkerBackend>& backend = backends_[wanted.name];
  if (!backend) {
    backend = std::make_unique<upstream::WorkerBackend>(context_, shared_->backend(wanted.name), pod_.id, buffered_,
                                                        sockets_.get());
  }
  // A request that still holds an older generation uses the newer pools.
  if (backend->generation() < snapshot->config->generation) {
    const config::NodeConfig& config = *snapshot->config;
    backend->refresh(snapshot, wanted, config.services[wanted.service].id, config.generation, snapshot->applied_at);
  }
  cached = backend.get();
  return *cached;
}

// HTTP and plain TCP have pools of their own: a connection that carried requests never carries raw bytes.
upstream::WorkerBackend& Source::direct(const char* kind, const base::SocketAddress& address) {
  const std::string key = kind + address.to_string();
  std::unique_ptr<upstream::WorkerBackend>& backend = backends_[key];
  if (!backend) {
    auto made = std::make_shared<config::Backend>();
    made->name = "PassthroughCluster";
    made->endpoints.push_back({.address = address, .weight = 1, .identity = {}});
    backend =
        std::make_unique<upstream::WorkerBackend>(context_, shared_->backend(key), pod_.id, buffered_, sockets_.get());
    backend->refresh(made, *made, 0, 1, context_.loop->now());
  }
  return *backend;
}

void Source::keep_house(base::TimePoint now) {
  const std::uint64_t buffered = buffered_.kept_here();
  if (buffered != shown_buffered_) {
    context_.telemetry.on_buffered(pod_.id, static_cast<std::int64_t>(buffered - shown_buffered_));
    shown_buffered_ = buffered;
  }
  if (sockets_) {
    sockets_->v4.keep_house();
    sockets_->v6.keep_house();
  }
  for (auto& [name, backend] : backends_) {
    backend->remove_unused();
    upstream::SharedBackend& shared = backend->shared();
    shared.advance(now);
    if (!shared.has_events()) continue;
    for (const upstream::SharedBackend::Event& event : shared.take_events()) {
      if (event.kind == policy::OutlierDetector::Event::Kind::returned) continue;
      if (event.kind == policy::OutlierDetector::Event::Kind::suppressed) {
        context_.telemetry.on_ejection_suppressed(backend->service_id(), telemetry::SuppressionCause::max_percent);
      } else {
        context_.telemetry.on_ejection(backend->service_id(), cause(event.reason));
      }
    }
  }
}

}  // namespace proxy
