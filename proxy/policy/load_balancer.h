#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "config/model/policy.h"

namespace proxy::policy {

struct Candidate {
  std::uint32_t weight = 1;
  std::uint32_t active_requests = 0;
  bool is_healthy = true;  // not ejected
};

inline constexpr std::uint32_t kNoEndpoint = 0xffffffff;

// Picks an endpoint as Envoy does: round robin (weighted when weights differ), least request (power of two choices;
// weighted round robin biased by active requests when weights differ), random (weights are ignored). One per worker and
// backend; allocates only when the number of endpoints grows.
class EndpointPicker {
 public:
  explicit EndpointPicker(config::LoadBalancer algorithm) : algorithm_(algorithm) {}

  // Index into `candidates`, kNoEndpoint when nobody may be used.
  // Panic (SEMANTICS 2.6): when the healthy share is below `panic_percent`, all candidates are used. As in Envoy, 5 of
  // 7 healthy (a share that 1.4-fold overprovisioning makes whole) is never panic, whatever the threshold.
  std::uint32_t pick(std::span<const Candidate> candidates, std::uint32_t panic_percent, base::Random& random);

 private:
  // Earliest deadline first: an endpoint of weight w is due w times in each unit of virtual time.
  struct Schedule {
    double deadline = 0;
    std::uint32_t weight = 0;  // what the schedule was made with; 0: not usable
    std::uint64_t picks = 0;
    std::uint64_t order = 0;  // of two deadlines that are equal, the one set first wins
  };
  std::uint32_t pick_scheduled(std::span<const Candidate> candidates, bool uses_all, base::Random& random);
  void start_schedule(std::span<const Candidate> candidates, bool uses_all, base::Random& random);
  std::uint32_t take_due(std::span<const Candidate> candidates);
  [[nodiscard]] double rate(const Candidate& candidate) const;

  config::LoadBalancer algorithm_;
  std::uint32_t next_ = 0;  // round robin position; the first one is random, as in Envoy
  bool has_started_ = false;
  std::uint64_t schedule_order_ = 0;
  std::vector<Schedule> schedule_;  // of the candidates of the last scheduled pick
};

// Tries up to 1 + 5 picks until one is not in `previous` (Envoy's previous_hosts predicate, host selection attempts 5);
// the last pick stands when all were.
std::uint32_t pick_avoiding(EndpointPicker& picker, std::span<const Candidate> candidates, std::uint32_t panic_percent,
                            std::span<const std::uint32_t> previous, base::Random& random);

}  // namespace proxy::policy
