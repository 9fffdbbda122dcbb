#include "agent/kube/backoff.h"

#include <algorithm>

namespace agent::kube {

std::chrono::milliseconds jittered(std::chrono::milliseconds longest, base::Random& random) {
  const auto half = longest / 2;
  return half + std::chrono::milliseconds(random.below(static_cast<std::uint64_t>((longest - half).count()) + 1));
}

std::chrono::milliseconds Backoff::next(base::Random& random) {
  const auto wait = jittered(ceiling_, random);
  ceiling_ = std::min(ceiling_ * 2, kLongest);
  return wait;
}

}  // namespace agent::kube
