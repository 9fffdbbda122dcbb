#include "proxy/policy/retry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace proxy::policy {
namespace {

using config::RetryPolicy;

RetryPolicy on(std::uint32_t words, std::vector<std::uint16_t> codes = {}) {
  RetryPolicy policy;
  policy.retry_on = words;
  policy.retriable_status_codes = std::move(codes);
  return policy;
}

bool wants(std::uint32_t words, std::uint16_t status, std::optional<std::uint32_t> grpc = std::nullopt) {
  return wants_retry(on(words), ResponseFacts{.status = status, .grpc_status = grpc});
}

constexpr std::uint32_t kAllWords = 0xffff;

TEST(WantsRetry, EachWordMatchesExactlyItsStatusCodes) {
  struct Case {
    std::uint32_t word;
    bool (*expected)(int status);
  };
  for (const Case& test : {
           Case{config::kRetryOn5xx, [](int status) { return status >= 500 && status < 600; }},
           Case{config::kRetryOnGatewayError, [](int status) { return status >= 502 && status <= 504; }},
           Case{config::kRetryOnRetriable4xx, [](int status) { return status == 409; }},
           Case{config::kRetryOnReset, [](int) { return false; }},
           Case{config::kRetryOnResetBeforeRequest, [](int) { return false; }},
           Case{config::kRetryOnConnectFailure, [](int) { return false; }},
           Case{config::kRetryOnRefusedStream, [](int) { return false; }},
           Case{config::kRetryOnRetriableStatusCodes, [](int) { return false; }},  // without a list
           Case{config::kRetryOnRetriableHeaders, [](int) { return false; }},      // Istio has no list for it
           Case{config::kRetryOnEnvoyRatelimited, [](int) { return false; }},
           Case{config::kRetryOnHttp3PostConnectFailure, [](int) { return false; }},
           Case{config::kRetryOnUnavailable, [](int) { return false; }},
       }) {
    for (int status = 100; status < 1000; ++status) {
      EXPECT_EQ(wants(test.word, static_cast<std::uint16_t>(status)), test.expected(status))
          << "word " << test.word << " status " << status;
    }
  }
}

TEST(WantsRetry, BareCodesMatchOnlyWithTheirWord) {
  const ResponseFacts response{.status = 418};
  EXPECT_TRUE(wants_retry(on(config::kRetryOnRetriableStatusCodes, {503, 418}), response));
  EXPECT_FALSE(wants_retry(on(config::kRetryOnRetriableStatusCodes, {503, 504}), response));
  EXPECT_FALSE(wants_retry(on(config::kRetryOn5xx, {418}), response));
}

TEST(WantsRetry, TheDefaultPolicyRetriesNoStatusCode) {
  const RetryPolicy defaults;
  EXPECT_EQ(defaults.max_retries, 2U);
  for (std::uint16_t status = 100; status < 600; ++status) {
    EXPECT_FALSE(wants_retry(defaults, ResponseFacts{.status = status})) << status;
  }
}

TEST(WantsRetry, ARatelimitedResponseIsRetriedOnlyByItsWord) {
  const ResponseFacts limited{.status = 503, .grpc_status = 14, .is_ratelimited = true};
  EXPECT_FALSE(wants_retry(on(kAllWords & ~config::kRetryOnEnvoyRatelimited, {503}), limited));
  EXPECT_TRUE(wants_retry(on(config::kRetryOnEnvoyRatelimited), limited));
  EXPECT_TRUE(wants_retry(on(config::kRetryOnEnvoyRatelimited), {.status = 429, .is_ratelimited = true}));
  EXPECT_FALSE(wants_retry(on(config::kRetryOnEnvoyRatelimited), {.status = 429}));
}

TEST(WantsRetry, GrpcWordsLookAtTheStatusInTheHead) {
  struct Case {
    std::uint32_t word, status;
  };
  for (const auto& [word, status] : {Case{config::kRetryOnCancelled, 1}, Case{config::kRetryOnDeadlineExceeded, 4},
                                     Case{config::kRetryOnResourceExhausted, 8}, Case{config::kRetryOnInternal, 13},
                                     Case{config::kRetryOnUnavailable, 14}}) {
    for (std::uint32_t grpc = 0; grpc <= 16; ++grpc) {
      EXPECT_EQ(wants(word, 200, grpc), grpc == status) << "word " << word << " grpc-status " << grpc;
    }
    EXPECT_FALSE(wants(word, 503));  // no grpc-status
  }
}

constexpr std::array kResets = {
    ResetReason::overflow,        ResetReason::connect_failure,
    ResetReason::connect_timeout, ResetReason::connection_termination,
    ResetReason::per_try_timeout, ResetReason::protocol_error,
    ResetReason::remote_reset,    ResetReason::refused_stream,
};

TEST(WantsRetry, EachWordMatchesExactlyItsResets) {
  using enum ResetReason;
  const std::vector<ResetReason> all_but_overflow = {connect_failure, connect_timeout, connection_termination,
                                                     per_try_timeout, protocol_error,  remote_reset,
                                                     refused_stream};
  struct Case {
    std::uint32_t word;
    std::vector<ResetReason> expected;
  };
  for (const Case& test : {
           Case{config::kRetryOn5xx, all_but_overflow},
           Case{config::kRetryOnGatewayError, all_but_overflow},
           Case{config::kRetryOnReset, all_but_overflow},
           Case{config::kRetryOnConnectFailure, {connect_failure, connect_timeout}},
           Case{config::kRetryOnRefusedStream, {refused_stream}},
           Case{config::kRetryOnResetBeforeRequest, {}},
           Case{config::kRetryOnRetriable4xx, {}},
           Case{config::kRetryOnRetriableStatusCodes, {}},
           Case{config::kRetryOnRetriableHeaders, {}},
           Case{config::kRetryOnEnvoyRatelimited, {}},
           Case{config::kRetryOnCancelled, {}},
           Case{config::kRetryOnUnavailable, {}},
       }) {
    for (const ResetReason reason : kResets) {
      const bool expected = std::ranges::find(test.expected, reason) != test.expected.end();
      EXPECT_EQ(wants_retry(on(test.word, {503, 504}), reason, true), expected)
          << "word " << test.word << " reset " << static_cast<int>(reason);
    }
  }
}

TEST(WantsRetry, ResetBeforeRequestMatchesWhenNoByteWasSent) {
  for (const ResetReason reason : kResets) {
    EXPECT_EQ(wants_retry(on(config::kRetryOnResetBeforeRequest), reason, false), reason != ResetReason::overflow);
  }
}

TEST(WantsRetry, AnOverflowIsNeverRetried) {
  EXPECT_FALSE(wants_retry(on(kAllWords, {503}), ResetReason::overflow, false));
}

TEST(WantsRetry, TheDefaultPolicyRetriesConnectFailuresButNoPerTryTimeout) {
  const RetryPolicy defaults;
  EXPECT_TRUE(wants_retry(defaults, ResetReason::connect_failure, false));
  EXPECT_TRUE(wants_retry(defaults, ResetReason::connect_timeout, false));
  EXPECT_TRUE(wants_retry(defaults, ResetReason::refused_stream, true));
  EXPECT_FALSE(wants_retry(defaults, ResetReason::per_try_timeout, true));
  EXPECT_FALSE(wants_retry(defaults, ResetReason::connection_termination, true));
  EXPECT_FALSE(wants_retry(defaults, ResetReason::connection_termination, false));
}

TEST(RetryState, GivesAsManyRetriesAsThePolicySays) {
  RetryPolicy policy;
  policy.max_retries = 3;
  RetryState state(policy);
  EXPECT_EQ(state.taken(), 0U);
  for (std::uint32_t taken = 1; taken <= 3; ++taken) {
    EXPECT_TRUE(state.take());
    EXPECT_EQ(state.taken(), taken);
  }
  EXPECT_FALSE(state.take());
  EXPECT_EQ(state.taken(), 3U);
}

TEST(RetryState, WithoutAPolicyOrWithZeroAttemptsThereIsNoRetry) {
  RetryState none;
  EXPECT_FALSE(none.take());
  EXPECT_EQ(none.taken(), 0U);
  RetryPolicy policy;
  policy.max_retries = 0;
  RetryState zero(policy);
  EXPECT_FALSE(zero.take());
}

// SEMANTICS 2.7: uniform in [0, w), w = 25, 50, 100, 200, 250, 250, ...
TEST(RetryState, BackoffIsFullJitterInADoublingWindowUpToTheCap) {
  struct Case {
    int base, cap;
    std::array<int, 7> windows;
  };
  for (const Case& test : {
           Case{25, 250, {25, 50, 100, 200, 250, 250, 250}},
           Case{200, 2000, {200, 400, 800, 1600, 2000, 2000, 2000}},
           Case{1, 10, {1, 2, 4, 8, 10, 10, 10}},
           Case{40, 40, {40, 40, 40, 40, 40, 40, 40}},
       }) {
    RetryPolicy policy;
    policy.max_retries = 7;
    policy.backoff_base = config::Milliseconds(test.base);
    policy.backoff_max = config::Milliseconds(test.cap);
    base::Random random(11);
    std::array<std::int64_t, 7> most{};
    std::array<double, 7> sum{};
    constexpr int kRounds = 4000;
    for (int round = 0; round < kRounds; ++round) {
      RetryState state(policy);
      for (std::size_t n = 0; n < 7; ++n) {
        ASSERT_TRUE(state.take());
        const auto wait = state.next_backoff(random).count();
        ASSERT_GE(wait, 0);
        ASSERT_LT(wait, test.windows[n]);
        most[n] = std::max(most[n], wait);
        sum[n] += static_cast<double>(wait);
      }
    }
    for (std::size_t n = 0; n < 7; ++n) {
      const int window = test.windows[n];
      EXPECT_GE(most[n], window - 1 - window / 100) << "retry " << n + 1 << ": the whole window is used";
      EXPECT_NEAR(sum[n] / kRounds, (window - 1) / 2.0, window * 0.03) << "retry " << n + 1;
    }
  }
}

}  // namespace
}  // namespace proxy::policy
