#include "proxy/policy/fault.h"

namespace proxy::policy {

namespace {

constexpr std::uint32_t kMillion = 1'000'000;

bool roll(std::uint32_t per_million, base::Random& random) {
  return per_million > 0 && random.below(kMillion) < per_million;
}

}  // namespace

FaultDecision roll_fault(const config::FaultPolicy& policy, base::Random& random) {
  FaultDecision decision;
  if (policy.delay.count() > 0 && roll(policy.delay_per_million, random)) decision.delay = policy.delay;
  if (policy.abort_status != 0 && roll(policy.abort_per_million, random)) {
    decision.abort_status = policy.abort_status;
    decision.abort_grpc_status = policy.abort_grpc_status;
  }
  return decision;
}

}  // namespace proxy::policy
