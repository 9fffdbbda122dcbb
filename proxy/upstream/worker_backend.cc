#include "proxy/upstream/worker_backend.h"

#include "proxy/worker_context.h"

namespace proxy::upstream {

WorkerBackend::WorkerBackend(WorkerContext& context, std::shared_ptr<SharedBackend> shared, std::uint32_t pod_id,
                             engine::ByteAccount& buffered, PodSockets* sockets)
    : context_(context), shared_(std::move(shared)), pod_id_(pod_id), buffered_(buffered), sockets_(sockets) {}

void WorkerBackend::refresh(std::shared_ptr<const void> owner, const config::Backend& backend, std::uint32_t service_id,
                            std::uint64_t generation, base::TimePoint sweeps_from) {
  shared_->refresh(backend, generation, sweeps_from, context_.loop->now());
  if (config_ == nullptr || config_->policy.load_balancer != backend.policy.load_balancer) {
    picker_ = policy::EndpointPicker(backend.policy.load_balancer);
  }
  owner_ = std::move(owner);
  config_ = &backend;
  service_id_ = service_id;
  generation_ = generation;

  const std::vector<std::shared_ptr<SharedEndpoint>> shared_endpoints = shared_->endpoints();
  std::vector<std::unique_ptr<EndpointPool>> pools;
  pools.reserve(backend.endpoints.size());
  for (const config::Endpoint& endpoint : backend.endpoints) {
    const auto known = std::find_if(pools_.begin(), pools_.end(), [&](const auto& pool) {
      return pool != nullptr && pool->endpoint().address == endpoint.address;
    });
    if (known != pools_.end()) {
      (*known)->set_policy(backend.policy.connection_pool);
      (*known)->set_endpoint(endpoint);
      pools.push_back(std::move(*known));
      continue;
    }
    const auto shared_endpoint = std::find_if(shared_endpoints.begin(), shared_endpoints.end(),
                                              [&](const auto& each) { return each->address == endpoint.address; });
    // Another worker may have taken over a newer generation already; then this endpoint is known to this worker only.
    pools.push_back(std::make_unique<EndpointPool>(
        context_, shared_,
        shared_endpoint != shared_endpoints.end() ? *shared_endpoint
                                                  : std::make_shared<SharedEndpoint>(endpoint.address),
        endpoint, backend.policy.connection_pool, Owner{pod_id_, service_id, &buffered_, sockets_}));
  }
  for (std::unique_ptr<EndpointPool>& old : pools_) {
    if (old == nullptr) continue;
    old->retire();
    retired_.push_back(std::move(old));
  }
  pools_ = std::move(pools);
}

EndpointPool* WorkerBackend::pick(std::span<EndpointPool* const> previous) {
  shared_->advance(context_.loop->now());
  candidates_.clear();
  previous_.clear();
  for (std::uint32_t i = 0; i < pools_.size(); ++i) {
    SharedEndpoint& shared = pools_[i]->shared();
    candidates_.push_back({.weight = pools_[i]->endpoint().weight,
                           .active_requests = shared.active_requests.load(std::memory_order_relaxed),
                           .is_healthy = !shared.is_ejected.load(std::memory_order_relaxed)});
    if (std::find(previous.begin(), previous.end(), pools_[i].get()) != previous.end()) previous_.push_back(i);
  }
  const std::uint32_t panic_percent = config_->policy.outlier ? config_->policy.outlier->min_health_percent : 50;
  const std::uint32_t index = policy::pick_avoiding(picker_, candidates_, panic_percent, previous_, context_.random);
  return index == policy::kNoEndpoint ? nullptr : pools_[index].get();
}

EndpointPool* WorkerBackend::find(const base::SocketAddress& address) const {
  const auto found =
      std::find_if(pools_.begin(), pools_.end(), [&](const auto& pool) { return pool->endpoint().address == address; });
  return found == pools_.end() ? nullptr : found->get();
}

void WorkerBackend::remove_unused() {
  std::erase_if(retired_, [](const auto& pool) { return pool->is_unused(); });
}

}  // namespace proxy::upstream
