#pragma once

#include <cstdint>
#include <span>

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
// weighted round robin biased by active requests when weights differ), random. One per worker and backend.
class EndpointPicker {
 public:
  explicit EndpointPicker(config::LoadBalancer algorithm) : algorithm_(algorithm) {}

  // Index into `candidates`, kNoEndpoint when nobody may be used.
  // Panic (SEMANTICS 2.6): when the healthy share is below `panic_percent`, all candidates are used.
  std::uint32_t pick(std::span<const Candidate> candidates, std::uint32_t panic_percent, base::Random& random);

 private:
  config::LoadBalancer algorithm_;
  std::uint32_t next_ = 0;  // round robin position; the first one is random, as in Envoy
  bool has_started_ = false;
};

// Tries up to 1 + 5 picks until one is not in `previous` (Envoy's previous_hosts predicate, host selection attempts 5);
// the last pick stands when all were.
std::uint32_t pick_avoiding(EndpointPicker& picker, std::span<const Candidate> candidates, std::uint32_t panic_percent,
                            std::span<const std::uint32_t> previous, base::Random& random);

}  // namespace proxy::policy
