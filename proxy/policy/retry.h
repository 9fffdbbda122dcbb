#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "config/model/policy.h"

namespace proxy::policy {

// Why an attempt ended without a usable response.
enum class ResetReason : std::uint8_t {
  overflow,         // our own limit; never retried
  connect_failure,  // refused or unreachable
  connect_timeout,
  connection_termination,  // FIN or RST before the response head
  per_try_timeout,         // its clock starts when the attempt has its connection: not while it waits or connects
  protocol_error,          // not HTTP, bad framing
  remote_reset,            // HTTP/2 RST_STREAM
  refused_stream,
};

struct ResponseFacts {
  std::uint16_t status = 0;
  std::optional<std::uint32_t> grpc_status{};  // from the head only
  bool is_ratelimited = false;                 // x-envoy-ratelimited
};

// SEMANTICS 2.7: is this outcome one of those the policy retries? Says nothing about how many are left.
[[nodiscard]] bool wants_retry(const config::RetryPolicy& policy, const ResponseFacts& response);
// `any_byte_sent`: some byte of the request went to the endpoint (reset-before-request).
[[nodiscard]] bool wants_retry(const config::RetryPolicy& policy, ResetReason reason, bool any_byte_sent);

// How many retries of one request are left, and how long to wait before the next (full jitter in [0, w),
// w = base, 2 base, 4 base ... capped at backoff_max).
class RetryState {
 public:
  RetryState() = default;
  explicit RetryState(const config::RetryPolicy& policy) : policy_(&policy), left_(policy.max_retries) {}

  // Takes one retry; false: the limit is used up (URX).
  [[nodiscard]] bool take();
  [[nodiscard]] config::Milliseconds next_backoff(base::Random& random);
  [[nodiscard]] std::uint32_t taken() const { return policy_ == nullptr ? 0 : policy_->max_retries - left_; }

 private:
  const config::RetryPolicy* policy_ = nullptr;
  std::uint32_t left_ = 0;
};

}  // namespace proxy::policy
