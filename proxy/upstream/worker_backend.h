#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/policy/load_balancer.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/endpoint_pool.h"

namespace proxy::upstream {

// One worker's side of a (source pod, backend): a pool for each endpoint and the balancer's position.
class WorkerBackend {
 public:
  // `buffered`, `sockets`: the source pod's; no sockets for one in the node's network namespace.
  WorkerBackend(WorkerContext& context, std::shared_ptr<SharedBackend> shared, std::uint32_t pod_id,
                engine::ByteAccount& buffered, PodSockets* sockets);

  // Follows a newer generation: pools of endpoints that stay are kept. `owner` keeps `backend` alive.
  void refresh(std::shared_ptr<const void> owner, const config::Backend& backend, std::uint32_t service_id,
               std::uint64_t generation, base::TimePoint sweeps_from);
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  // The balancer's choice, nullptr when nobody may be used. `previous`: endpoints that this request has tried, avoided
  // if possible.
  EndpointPool* pick(std::span<EndpointPool* const> previous);
  // The endpoint of this address, ejected or not; nullptr when there is none.
  [[nodiscard]] EndpointPool* find(const base::SocketAddress& address) const;

  [[nodiscard]] const config::Backend& config() const { return *config_; }
  [[nodiscard]] SharedBackend& shared() { return *shared_; }
  // Of the service behind it, 0 for an original destination.
  [[nodiscard]] std::uint32_t service_id() const { return service_id_; }
  void remove_unused();

 private:
  WorkerContext& context_;
  std::shared_ptr<SharedBackend> shared_;
  std::uint32_t pod_id_;
  engine::ByteAccount& buffered_;
  PodSockets* sockets_;
  std::shared_ptr<const void> owner_;
  const config::Backend* config_ = nullptr;
  std::uint32_t service_id_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<EndpointPool>> pools_;    // parallel to config_->endpoints
  std::vector<std::unique_ptr<EndpointPool>> retired_;  // still finishing
  std::vector<policy::Candidate> candidates_;           // scratch of pick()
  std::vector<std::uint32_t> previous_;                 // scratch of pick()
  policy::EndpointPicker picker_{config::LoadBalancer::least_request};
};

}  // namespace proxy::upstream
