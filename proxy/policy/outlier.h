#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/model/policy.h"

namespace proxy::policy {

// Results that the proxy made itself.
enum class LocalOutcome : std::uint8_t {
  connect_success,  // an attempt has its connection, new or pooled: to be reported each time
  connect_failure,
  connect_timeout,
  request_timeout,  // route or per-try timeout
  reset,            // connection terminated before a response head
};

enum class EjectionReason : std::uint8_t { consecutive_5xx, consecutive_gateway, consecutive_local };

// Outlier detection of one (source pod, backend), exactly as SEMANTICS 2.6. Pure: time is an argument, and the caller
// serialises calls. Hosts are known by a stable key that the caller chooses.
class OutlierDetector {
 public:
  using HostKey = std::uint64_t;

  struct Event {
    enum class Kind : std::uint8_t { ejected, suppressed /* max_ejection_percent */, returned } kind{};
    HostKey host = 0;
    EjectionReason reason{};
  };

  // Sweeps happen at start + n x interval.
  OutlierDetector(const config::OutlierPolicy& policy, base::TimePoint start);

  // New endpoints or a new policy: state of hosts that stay is kept.
  void update(const config::OutlierPolicy& policy, std::span<const HostKey> hosts, base::TimePoint now);

  // Each calls advance(now) first. Unknown hosts (just removed) are ignored.
  void on_response(HostKey host, std::uint16_t status, base::TimePoint now);
  void on_local(HostKey host, LocalOutcome outcome, base::TimePoint now);

  // Runs the sweeps and publications that are due.
  void advance(base::TimePoint now);
  // When advance() next has something to do because of time alone; TimePoint::max() when never.
  [[nodiscard]] base::TimePoint next_event() const;

  // What the balancer sees. A change more than 1 s after the last one that was applied is applied at once, and all that
  // were held back with it; a change within that second is held back for 1 s.
  [[nodiscard]] bool is_ejected_for_balancer(HostKey host) const;
  // What is true now, for /clusters: none, or until when (the sweep at which it returns) and why.
  struct Ejection {
    base::TimePoint until;
    EjectionReason reason;
    std::uint32_t times;  // current multiplier
  };
  [[nodiscard]] const Ejection* ejection(HostKey host) const;
  [[nodiscard]] std::size_t ejected_count() const;
  // True when a success would change nothing for this host: lets the hot path skip the call.
  [[nodiscard]] bool is_clean(HostKey host) const;

  // Events since the last call.
  std::vector<Event> take_events();

 private:
  struct Host {
    HostKey key = 0;
    std::uint32_t consecutive_5xx = 0;
    std::uint32_t consecutive_gateway = 0;
    std::uint32_t consecutive_local = 0;
    std::uint32_t backoff = 0;  // multiplier of the base ejection time
    bool is_ejected = false;
    bool is_published_ejected = false;
    Ejection current{};
    base::TimePoint ejected_at{};
    base::TimePoint last_return{};
  };
  Host* find(HostKey key);
  [[nodiscard]] const Host* find(HostKey key) const;

  void count_status(Host& host, std::uint16_t status, base::TimePoint now);
  void count_local_failure(Host& host, base::TimePoint now);
  // A counter reached its threshold.
  void detect(Host& host, EjectionReason reason, std::uint32_t& counter, base::TimePoint now);
  [[nodiscard]] bool may_eject_one_more() const;
  void eject(Host& host, EjectionReason reason, base::TimePoint now);
  void sweep(base::TimePoint at);
  void schedule_sweep();
  [[nodiscard]] base::TimePoint first_sweep_from(base::TimePoint time) const;
  [[nodiscard]] base::TimePoint return_time(const Host& host) const;
  void on_health_change(base::TimePoint at);
  void publish(base::TimePoint at);

  config::OutlierPolicy policy_;
  base::TimePoint sweeps_from_;  // sweeps happen at sweeps_from_ + n x interval, n >= 1
  base::TimePoint swept_until_;
  base::TimePoint next_sweep_ = base::TimePoint::max();  // the next one that has something to do
  base::TimePoint publish_at_ = base::TimePoint::max();
  std::optional<base::TimePoint> last_publication_;
  std::size_t ejected_count_ = 0;
  std::vector<Host> hosts_;  // sorted by key
  std::vector<Event> events_;
};

std::string_view to_string(EjectionReason reason);

}  // namespace proxy::policy
