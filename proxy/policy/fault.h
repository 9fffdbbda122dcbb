#pragma once

#include "base/random.h"
#include "config/model/policy.h"

namespace proxy::policy {

// What fault injection does to one request (SEMANTICS 2.3): independent rolls, delay first.
struct FaultDecision {
  config::Milliseconds delay{0};   // 0: none
  std::uint16_t abort_status = 0;  // 0: none
  std::optional<std::uint8_t> abort_grpc_status = {};
};
[[nodiscard]] FaultDecision roll_fault(const config::FaultPolicy& policy, base::Random& random);

}  // namespace proxy::policy
