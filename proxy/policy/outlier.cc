#include "proxy/policy/outlier.h"

#include <algorithm>
#include <utility>

namespace proxy::policy {

namespace {

using base::TimePoint;

constexpr config::Milliseconds kMergeWindow{1000};
constexpr config::Milliseconds kMaxEjectionTime{300'000};  // or the base ejection time, when that is longer

bool is_5xx(std::uint16_t status) { return status >= 500 && status <= 599; }
bool is_gateway_error(std::uint16_t status) { return status >= 502 && status <= 504; }

// A threshold that was lowered below the count would never be equal to it: the next error then reaches it.
void keep_reachable(std::uint32_t& counter, std::uint32_t threshold) {
  if (threshold > 0) counter = std::min(counter, threshold - 1);
}

}  // namespace

OutlierDetector::OutlierDetector(const config::OutlierPolicy& policy, TimePoint start)
    : policy_(policy), sweeps_from_(start), swept_until_(start) {}

OutlierDetector::Host* OutlierDetector::find(HostKey key) {
  const auto found = std::ranges::lower_bound(hosts_, key, {}, &Host::key);
  return found != hosts_.end() && found->key == key ? &*found : nullptr;
}
const OutlierDetector::Host* OutlierDetector::find(HostKey key) const {
  return const_cast<OutlierDetector*>(this)->find(key);
}

void OutlierDetector::update(const config::OutlierPolicy& policy, std::span<const HostKey> keys, TimePoint now) {
  advance(now);
  swept_until_ = std::max(swept_until_, now);
  const bool is_first = hosts_.empty();
  std::vector<Host> hosts;
  hosts.reserve(keys.size());
  std::size_t kept = 0;
  for (const HostKey key : keys) {
    const Host* known = find(key);
    kept += known != nullptr ? 1 : 0;
    hosts.push_back(known != nullptr ? *known : Host{.key = key});
  }
  std::ranges::sort(hosts, {}, &Host::key);
  const auto duplicates = std::ranges::unique(hosts, {}, &Host::key);
  hosts.erase(duplicates.begin(), duplicates.end());
  const bool same_hosts = kept == hosts_.size() && hosts.size() == hosts_.size();
  hosts_ = std::move(hosts);
  ejected_count_ = static_cast<std::size_t>(std::ranges::count(hosts_, true, &Host::is_ejected));

  if (policy != policy_) {
    if (policy.interval != policy_.interval) sweeps_from_ = swept_until_;
    policy_ = policy;
    for (Host& host : hosts_) {
      if (host.is_ejected) {
        host.current.until = return_time(host);
      } else {
        keep_reachable(host.consecutive_5xx, policy_.consecutive_5xx);
        keep_reachable(host.consecutive_gateway, policy_.consecutive_gateway);
        keep_reachable(host.consecutive_local, policy_.consecutive_local_origin);
      }
    }
  }
  // New endpoints reach the balancer at once, and with them what was held back.
  if (!same_hosts && !is_first) publish(now);
  schedule_sweep();
}

void OutlierDetector::on_response(HostKey key, std::uint16_t status, TimePoint now) {
  advance(now);
  if (Host* host = find(key)) count_status(*host, status, now);
}

void OutlierDetector::on_local(HostKey key, LocalOutcome outcome, TimePoint now) {
  advance(now);
  Host* host = find(key);
  if (host == nullptr) return;
  if (outcome == LocalOutcome::connect_success) {
    if (policy_.splits_local_origin) host->consecutive_local = 0;
  } else if (policy_.splits_local_origin) {
    count_local_failure(*host, now);
  } else {
    count_status(*host, outcome == LocalOutcome::request_timeout ? 504 : 503, now);
  }
}

void OutlierDetector::count_status(Host& host, std::uint16_t status, TimePoint now) {
  if (!is_5xx(status)) {
    host.consecutive_5xx = host.consecutive_gateway = 0;
    return;
  }
  // Gateway errors first: when both thresholds are reached together, this is the reason.
  if (!is_gateway_error(status)) {
    host.consecutive_gateway = 0;
  } else if (++host.consecutive_gateway == policy_.consecutive_gateway) {
    detect(host, EjectionReason::consecutive_gateway, host.consecutive_gateway, now);
  }
  if (++host.consecutive_5xx == policy_.consecutive_5xx) {
    detect(host, EjectionReason::consecutive_5xx, host.consecutive_5xx, now);
  }
}

void OutlierDetector::count_local_failure(Host& host, TimePoint now) {
  if (++host.consecutive_local == policy_.consecutive_local_origin) {
    detect(host, EjectionReason::consecutive_local, host.consecutive_local, now);
  }
}

void OutlierDetector::detect(Host& host, EjectionReason reason, std::uint32_t& counter, TimePoint now) {
  if (host.is_ejected) return;  // goes on counting past the threshold
  if (may_eject_one_more()) {
    eject(host, reason, now);
  } else {
    events_.push_back({.kind = Event::Kind::suppressed, .host = host.key, .reason = reason});
  }
  counter = 0;
}

bool OutlierDetector::may_eject_one_more() const {
  if (policy_.always_ejects_one_host && ejected_count_ == 0) return true;
  return 100 * (ejected_count_ + 1) <= std::min(policy_.max_ejection_percent, 100U) * hosts_.size();
}

void OutlierDetector::eject(Host& host, EjectionReason reason, TimePoint now) {
  const auto longest = std::max(kMaxEjectionTime, policy_.base_ejection_time);
  if (host.backoff * policy_.base_ejection_time < longest + policy_.base_ejection_time) ++host.backoff;
  host.is_ejected = true;
  host.ejected_at = now;
  host.current = {.until = return_time(host), .reason = reason, .times = host.backoff};
  ++ejected_count_;
  events_.push_back({.kind = Event::Kind::ejected, .host = host.key, .reason = reason});
  next_sweep_ = std::min(next_sweep_, host.current.until);
  on_health_change(now);
}

// The first sweep at which the ejection time is over.
TimePoint OutlierDetector::return_time(const Host& host) const {
  const auto longest = std::max(kMaxEjectionTime, policy_.base_ejection_time);
  return first_sweep_from(host.ejected_at + std::min(host.backoff * policy_.base_ejection_time, longest));
}

// A sweep that has not been yet.
TimePoint OutlierDetector::first_sweep_from(TimePoint time) const {
  const auto interval = std::max(policy_.interval, config::Milliseconds(1));
  const auto elapsed = std::max(time, swept_until_ + TimePoint::duration(1)) - sweeps_from_;
  const auto sweeps = (elapsed + interval - TimePoint::duration(1)) / interval;
  return sweeps_from_ + sweeps * interval;
}

void OutlierDetector::sweep(TimePoint at) {
  swept_until_ = at;
  for (Host& host : hosts_) {
    if (!host.is_ejected) {
      if (host.backoff > 0 && at - host.last_return >= policy_.interval) --host.backoff;
    } else if (host.current.until <= at) {
      host.is_ejected = false;
      host.last_return = at;
      host.consecutive_5xx = host.consecutive_gateway = host.consecutive_local = 0;
      --ejected_count_;
      events_.push_back({.kind = Event::Kind::returned, .host = host.key, .reason = host.current.reason});
      on_health_change(at);
    }
  }
  schedule_sweep();
}

void OutlierDetector::schedule_sweep() {
  next_sweep_ = TimePoint::max();
  for (const Host& host : hosts_) {
    if (host.is_ejected) {
      next_sweep_ = std::min(next_sweep_, host.current.until);
    } else if (host.backoff > 0) {
      next_sweep_ = std::min(next_sweep_, first_sweep_from(host.last_return + policy_.interval));
    }
  }
}

void OutlierDetector::on_health_change(TimePoint at) {
  if (!last_publication_ || at - *last_publication_ > kMergeWindow) {
    publish(at);
  } else {
    publish_at_ = std::min(publish_at_, at + kMergeWindow);
  }
}

void OutlierDetector::publish(TimePoint at) {
  for (Host& host : hosts_) host.is_published_ejected = host.is_ejected;
  last_publication_ = at;
  publish_at_ = TimePoint::max();
}

void OutlierDetector::advance(TimePoint now) {
  // In the order of their own times, however late the call is.
  while (next_event() <= now) {
    if (publish_at_ <= next_sweep_) {
      publish(publish_at_);
    } else {
      sweep(next_sweep_);
    }
  }
}

TimePoint OutlierDetector::next_event() const { return std::min(next_sweep_, publish_at_); }

bool OutlierDetector::is_ejected_for_balancer(HostKey key) const {
  const Host* host = find(key);
  return host != nullptr && host->is_published_ejected;
}

const OutlierDetector::Ejection* OutlierDetector::ejection(HostKey key) const {
  const Host* host = find(key);
  return host != nullptr && host->is_ejected ? &host->current : nullptr;
}

std::size_t OutlierDetector::ejected_count() const { return ejected_count_; }

bool OutlierDetector::is_clean(HostKey key) const {
  const Host* host = find(key);
  return host == nullptr ||
         (host->consecutive_5xx == 0 && host->consecutive_gateway == 0 && host->consecutive_local == 0);
}

std::vector<OutlierDetector::Event> OutlierDetector::take_events() { return std::exchange(events_, {}); }

std::string_view to_string(EjectionReason reason) {
  switch (reason) {
    case EjectionReason::consecutive_5xx:
      return "consecutive_5xx";
    case EjectionReason::consecutive_gateway:
      return "consecutive_gateway";
    case EjectionReason::consecutive_local:
      return "consecutive_local";
  }
  return "unknown";
}

}  // namespace proxy::policy
