#include "proxy/upstream/shared_backend.h"

namespace proxy::upstream {

void SharedBackend::refresh(const config::Backend& backend, std::uint64_t generation, base::TimePoint sweeps_from,
                            base::TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (generation <= generation_) return;
  generation_ = generation;

  std::vector<std::shared_ptr<SharedEndpoint>> endpoints;
  endpoints.reserve(backend.endpoints.size());
  for (const config::Endpoint& wanted : backend.endpoints) {
    const auto known = std::find_if(endpoints_.begin(), endpoints_.end(),
                                    [&](const auto& endpoint) { return endpoint->address == wanted.address; });
    endpoints.push_back(known != endpoints_.end() ? *known : std::make_shared<SharedEndpoint>(wanted.address));
  }
  endpoints_ = std::move(endpoints);

  if (backend.policy.outlier) {
    if (!outlier_) outlier_ = std::make_unique<policy::OutlierDetector>(*backend.policy.outlier, sweeps_from);
    std::vector<HostKey> keys;
    for (const auto& endpoint : endpoints_) keys.push_back(key(*endpoint));
    outlier_->update(*backend.policy.outlier, keys, now);
    publish_locked();
  } else {
    outlier_.reset();
    next_event_.store(base::TimePoint::max().time_since_epoch().count(), std::memory_order_relaxed);
    for (const auto& endpoint : endpoints_) {
      endpoint->is_ejected.store(false, std::memory_order_relaxed);
      endpoint->has_failures.store(false, std::memory_order_relaxed);
    }
  }
  has_outlier_.store(outlier_ != nullptr, std::memory_order_relaxed);
}

std::vector<std::shared_ptr<SharedEndpoint>> SharedBackend::endpoints() const {
  const std::lock_guard lock(mutex_);
  return endpoints_;
}

void SharedBackend::on_response(SharedEndpoint& endpoint, std::uint16_t status, base::TimePoint now) {
  if (!has_outlier_.load(std::memory_order_relaxed)) return;
  if (status < 500 && !endpoint.has_failures.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  if (!outlier_) return;
  outlier_->on_response(key(endpoint), status, now);
  endpoint.has_failures.store(!outlier_->is_clean(key(endpoint)), std::memory_order_relaxed);
  publish_locked();
}

void SharedBackend::on_local(SharedEndpoint& endpoint, policy::LocalOutcome outcome, base::TimePoint now) {
  if (!has_outlier_.load(std::memory_order_relaxed)) return;
  if (outcome == policy::LocalOutcome::connect_success && !endpoint.has_failures.load(std::memory_order_relaxed))
    return;
  const std::lock_guard lock(mutex_);
  if (!outlier_) return;
  outlier_->on_local(key(endpoint), outcome, now);
  endpoint.has_failures.store(!outlier_->is_clean(key(endpoint)), std::memory_order_relaxed);
  publish_locked();
}

void SharedBackend::advance(base::TimePoint now) {
  if (now.time_since_epoch().count() < next_event_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  if (!outlier_) return;
  outlier_->advance(now);
  for (const auto& endpoint : endpoints_) {
    endpoint->has_failures.store(!outlier_->is_clean(key(*endpoint)), std::memory_order_relaxed);
  }
  publish_locked();
}

void SharedBackend::publish_locked() {
  for (const auto& endpoint : endpoints_) {
    endpoint->is_ejected.store(outlier_->is_ejected_for_balancer(key(*endpoint)), std::memory_order_relaxed);
  }
  next_event_.store(outlier_->next_event().time_since_epoch().count(), std::memory_order_relaxed);
  for (const policy::OutlierDetector::Event& event : outlier_->take_events()) {
    const auto found = std::find_if(endpoints_.begin(), endpoints_.end(),
                                    [&](const auto& endpoint) { return key(*endpoint) == event.host; });
    if (found == endpoints_.end()) continue;
    if (event.kind == policy::OutlierDetector::Event::Kind::suppressed) ++ejections_suppressed;
    events_.push_back({event.kind, event.reason, (*found)->address});
    has_events_.store(true, std::memory_order_relaxed);
  }
}

std::vector<SharedBackend::Event> SharedBackend::take_events() {
  const std::lock_guard lock(mutex_);
  has_events_.store(false, std::memory_order_relaxed);
  return std::exchange(events_, {});
}

std::optional<SharedBackend::Ejection> SharedBackend::ejection(const SharedEndpoint& endpoint) const {
  const std::lock_guard lock(mutex_);
  if (!outlier_) return std::nullopt;
  const policy::OutlierDetector::Ejection* found = outlier_->ejection(key(endpoint));
  if (found == nullptr) return std::nullopt;
  return Ejection{found->until, found->reason, found->times};
}

}  // namespace proxy::upstream
