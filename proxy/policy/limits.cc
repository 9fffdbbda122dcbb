#include "proxy/policy/limits.h"

#include <algorithm>

namespace proxy::policy {

bool AtomicLimit::try_acquire(std::uint32_t maximum) {
  std::uint32_t in_use = in_use_.load(std::memory_order_relaxed);
  do {
    if (in_use >= maximum) return false;
  } while (!in_use_.compare_exchange_weak(in_use, in_use + 1, std::memory_order_relaxed));
  return true;
}

std::uint32_t allowed_retries(const config::BackendPolicy& policy, const Limits& limits) {
  if (!policy.retry_budget) return policy.connection_pool.max_retries;
  const double outstanding = static_cast<double>(limits.requests.in_use()) + limits.pending.in_use();
  const double share = policy.retry_budget->percent / 100.0 * outstanding;  // below 2^33, rounded down
  return std::max(static_cast<std::uint32_t>(std::min(share, 4294967295.0)),
                  policy.retry_budget->min_retry_concurrency);
}

}  // namespace proxy::policy
