#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/socket_address.h"
#include "config/model/node_config.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/outlier.h"

// What all workers must see together about one (source pod, backend), because a limit or an ejection counts for the pod
// and not for a thread (SEMANTICS 4).
namespace proxy::upstream {

struct SharedEndpoint {
  explicit SharedEndpoint(const base::SocketAddress& endpoint_address) : address(endpoint_address) {}

  const base::SocketAddress address;
  std::atomic<std::uint32_t> active_requests{0};
  std::atomic<std::uint32_t> connections{0};
  std::atomic<bool> is_ejected{false};    // as the balancer sees it
  std::atomic<bool> has_failures{false};  // a success has something to reset
};

class SharedBackend {
 public:
  using HostKey = policy::OutlierDetector::HostKey;

  // Takes over endpoints and policy of a newer generation; an older or the same one is ignored. Endpoints that stay
  // keep their state.
  void refresh(const config::Backend& backend, std::uint64_t generation, base::TimePoint sweeps_from,
               base::TimePoint now);
  [[nodiscard]] std::vector<std::shared_ptr<SharedEndpoint>> endpoints() const;

  // Outlier detection. A success of an endpoint without failures takes no lock.
  void on_response(SharedEndpoint& endpoint, std::uint16_t status, base::TimePoint now);
  void on_local(SharedEndpoint& endpoint, policy::LocalOutcome outcome, base::TimePoint now);
  // Sweeps that are due; cheap when none is.
  void advance(base::TimePoint now);
  // What happened since the last call, with the endpoint's address.
  struct Event {
    policy::OutlierDetector::Event::Kind kind;
    policy::EjectionReason reason;
    base::SocketAddress address;
  };
  std::vector<Event> take_events();
  [[nodiscard]] bool has_events() const { return has_events_.load(std::memory_order_relaxed); }

  struct Ejection {
    base::TimePoint until;
    policy::EjectionReason reason;
    std::uint32_t times;
  };
  [[nodiscard]] std::optional<Ejection> ejection(const SharedEndpoint& endpoint) const;

  policy::Limits limits;
  std::atomic<std::uint64_t> pending_overflow{0};
  std::atomic<std::uint64_t> retry_overflow{0};
  std::atomic<std::uint64_t> ejections_suppressed{0};

 private:
  static HostKey key(const SharedEndpoint& endpoint) { return reinterpret_cast<HostKey>(&endpoint); }
  void publish_locked();

  mutable std::mutex mutex_;
  std::uint64_t generation_ = 0;
  std::vector<std::shared_ptr<SharedEndpoint>> endpoints_;
  std::unique_ptr<policy::OutlierDetector> outlier_;
  std::atomic<base::TimePoint::rep> next_event_{base::TimePoint::max().time_since_epoch().count()};
  std::atomic<bool> has_outlier_{false};
  std::atomic<bool> has_events_{false};
  std::vector<Event> events_;
};

}  // namespace proxy::upstream
