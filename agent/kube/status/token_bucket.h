#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace agent::kube {

// Lets through `burst` at once and then one in every `interval`. Pure.
class TokenBucket {
 public:
  TokenBucket(unsigned burst, std::chrono::milliseconds interval) : reserve_(interval * burst), interval_(interval) {}

  // When the next one may go; not later than `now`: at once.
  [[nodiscard]] base::TimePoint next(base::TimePoint now) const {
    return std::max(full_at_, now) - reserve_ + interval_;
  }
  void take(base::TimePoint now) { full_at_ = std::max(full_at_, now) + interval_; }

 private:
  std::chrono::milliseconds reserve_, interval_;
  base::TimePoint full_at_;  // when all that was taken will be there again
};

}  // namespace agent::kube
