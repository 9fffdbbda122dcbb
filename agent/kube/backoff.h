#pragma once

#include <chrono>

#include "base/random.h"

namespace agent::kube {

// How long to wait after the n-th failure in a row: doubled each time, and somewhere in the upper half of that, so that
// the agents of a thousand nodes do not come back together.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kLongest{30'000};

  std::chrono::milliseconds next(base::Random& random);
  void reset() { ceiling_ = kFirst; }

 private:
  std::chrono::milliseconds ceiling_ = kFirst;
};

// Somewhere in the upper half of `longest`.
std::chrono::milliseconds jittered(std::chrono::milliseconds longest, base::Random& random);

}  // namespace agent::kube
