#include "proxy/policy/retry.h"

#include <algorithm>

namespace proxy::policy {

namespace {

bool wants_grpc_retry(std::uint32_t retry_on, std::uint32_t grpc_status) {
  switch (grpc_status) {
    case 1:
      return (retry_on & config::kRetryOnCancelled) != 0;
    case 4:
      return (retry_on & config::kRetryOnDeadlineExceeded) != 0;
    case 8:
      return (retry_on & config::kRetryOnResourceExhausted) != 0;
    case 13:
      return (retry_on & config::kRetryOnInternal) != 0;
    case 14:
      return (retry_on & config::kRetryOnUnavailable) != 0;
    default:
      return false;
  }
}

}  // namespace

bool wants_retry(const config::RetryPolicy& policy, const ResponseFacts& response) {
  const std::uint32_t on = policy.retry_on;
  // A rate limiter spoke: no other word may answer it with more load.
  if (response.is_ratelimited) return (on & config::kRetryOnEnvoyRatelimited) != 0;

  const std::uint16_t status = response.status;
  if ((on & config::kRetryOn5xx) != 0 && status >= 500 && status <= 599) return true;
  if ((on & config::kRetryOnGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((on & config::kRetryOnRetriable4xx) != 0 && status == 409) return true;
  if ((on & config::kRetryOnRetriableStatusCodes) != 0 &&
      std::ranges::find(policy.retriable_status_codes, status) != policy.retriable_status_codes.end()) {
    return true;
  }
  return response.grpc_status && wants_grpc_retry(on, *response.grpc_status);
}

bool wants_retry(const config::RetryPolicy& policy, ResetReason reason, bool any_byte_sent) {
  const std::uint32_t on = policy.retry_on;
  if (reason == ResetReason::overflow) return false;
  if ((on & (config::kRetryOn5xx | config::kRetryOnGatewayError | config::kRetryOnReset)) != 0) return true;
  if ((on & config::kRetryOnResetBeforeRequest) != 0 && !any_byte_sent) return true;
  switch (reason) {
    case ResetReason::connect_failure:
    case ResetReason::connect_timeout:
      return (on & config::kRetryOnConnectFailure) != 0;
    case ResetReason::refused_stream:
      return (on & config::kRetryOnRefusedStream) != 0;
    default:
      return false;
  }
}

bool RetryState::take() {
  if (left_ == 0) return false;
  --left_;
  return true;
}

config::Milliseconds RetryState::next_backoff(base::Random& random) {
  if (policy_ == nullptr) return config::Milliseconds{0};
  const std::uint32_t doublings = taken() > 0 ? taken() - 1 : 0;
  const auto base = std::max<std::int64_t>(policy_->backoff_base.count(), 0);
  const auto cap = std::max(base, static_cast<std::int64_t>(policy_->backoff_max.count()));
  std::int64_t width = base;
  for (std::uint32_t i = 0; i < doublings && width < cap; ++i) width = std::min(width * 2, cap);
  return config::Milliseconds(random.below(static_cast<std::uint64_t>(width)));
}

}  // namespace proxy::policy
