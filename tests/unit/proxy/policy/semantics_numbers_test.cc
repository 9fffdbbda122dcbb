#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "proxy/policy/limits.h"
#include "proxy/policy/load_balancer.h"
#include "proxy/policy/outlier.h"
#include "proxy/policy/retry.h"

// The numbers of SEMANTICS 2.3 to 2.7 that a user meets without writing them, through the code that acts on them.
namespace proxy::policy {
namespace {

using base::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint t0 = TimePoint{} + seconds(100);

OutlierDetector detector_of(const config::OutlierPolicy& policy, std::uint64_t hosts) {
  OutlierDetector detector(policy, t0);
  std::vector<OutlierDetector::HostKey> keys;
  for (std::uint64_t key = 1; key <= hosts; ++key) keys.push_back(key);
  detector.update(policy, keys, t0);
  return detector;
}

TEST(SemanticsNumbers, AnEmptyOutlierBlockEjectsOneOfTenAfterFiveErrorsForThirtySeconds) {
  OutlierDetector detector = detector_of(config::OutlierPolicy{}, 10);
  for (int i = 0; i < 4; ++i) detector.on_response(1, 500, t0 + seconds(3));
  EXPECT_EQ(detector.ejected_count(), 0U);
  detector.on_response(1, 500, t0 + seconds(3));
  ASSERT_NE(detector.ejection(1), nullptr);
  EXPECT_EQ(detector.ejection(1)->until, t0 + seconds(40));  // 33 s, and the next multiple of the 10 s interval
  for (int i = 0; i < 5; ++i) detector.on_response(2, 500, t0 + seconds(3));
  EXPECT_EQ(detector.ejected_count(), 1U);  // 20 % > 10 %
}

TEST(SemanticsNumbers, AnEmptyOutlierBlockOfNineHostsEjectsNobody) {
  OutlierDetector detector = detector_of(config::OutlierPolicy{}, 9);
  for (int i = 0; i < 500; ++i) detector.on_response(1, 503, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(SemanticsNumbers, AnEmptyOutlierBlockDoesNotCountGatewayErrorsByThemselves) {
  config::OutlierPolicy policy;
  policy.consecutive_5xx = 0;
  OutlierDetector detector = detector_of(policy, 10);
  for (int i = 0; i < 500; ++i) detector.on_response(1, 503, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(SemanticsNumbers, WithSplitFiveLocalFailuresEject) {
  config::OutlierPolicy policy;
  policy.splits_local_origin = true;
  OutlierDetector detector = detector_of(policy, 10);
  for (int i = 0; i < 4; ++i) detector.on_local(1, LocalOutcome::connect_failure, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
  detector.on_local(1, LocalOutcome::connect_timeout, t0);
  EXPECT_EQ(detector.ejected_count(), 1U);
}

TEST(SemanticsNumbers, TheReturnZeroesAllThreeCounters) {
  config::OutlierPolicy policy;
  policy.splits_local_origin = true;
  policy.consecutive_gateway = 3;
  policy.max_ejection_percent = 100;
  OutlierDetector detector = detector_of(policy, 1);
  for (int i = 0; i < 4; ++i) detector.on_response(1, 504, t0);
  for (int i = 0; i < 4; ++i) detector.on_local(1, LocalOutcome::connect_failure, t0);
  ASSERT_EQ(detector.ejected_count(), 1U);
  detector.advance(t0 + seconds(30));
  ASSERT_EQ(detector.ejected_count(), 0U);
  detector.on_response(1, 504, t0 + seconds(30));  // the fifth 5xx in a row, had they been kept
  detector.on_local(1, LocalOutcome::connect_failure, t0 + seconds(30));
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(SemanticsNumbers, SweepsDoNotTouchTheCountersOfHealthyHosts) {
  config::OutlierPolicy policy;
  policy.consecutive_5xx = 3;
  policy.max_ejection_percent = 100;
  policy.interval = seconds(1);
  OutlierDetector detector = detector_of(policy, 2);
  for (int i = 0; i < 3; ++i) detector.on_response(2, 500, t0);  // makes the sweeps happen
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(detector.ejection(1), nullptr);
    detector.on_response(1, 500, t0 + seconds(40) * i);
  }
  EXPECT_NE(detector.ejection(1), nullptr);
}

TEST(SemanticsNumbers, TheHealthyShareBelowHalfIsPanicUnlessABlockTurnsItOff) {
  base::Random random(1);
  std::vector<Candidate> candidates(3);
  candidates[0].is_healthy = candidates[1].is_healthy = false;
  const auto meets_an_ejected_one = [&](std::uint32_t panic_percent) {
    EndpointPicker picker(config::LoadBalancer::round_robin);
    bool met = false;
    for (int i = 0; i < 6; ++i) met |= picker.pick(candidates, panic_percent, random) != 2;
    return met;
  };
  EXPECT_TRUE(meets_an_ejected_one(50));
  EXPECT_FALSE(meets_an_ejected_one(config::OutlierPolicy{}.min_health_percent));
}

TEST(SemanticsNumbers, WithoutARetriesBlockThereAreTwoRetriesWithin25And50Milliseconds) {
  const config::RetryPolicy policy;
  base::Random random(1);
  milliseconds longest_first{0};
  milliseconds longest_second{0};
  for (int i = 0; i < 2000; ++i) {
    RetryState state(policy);
    ASSERT_TRUE(state.take());
    longest_first = std::max(longest_first, state.next_backoff(random));
    ASSERT_TRUE(state.take());
    longest_second = std::max(longest_second, state.next_backoff(random));
    ASSERT_FALSE(state.take());
  }
  EXPECT_EQ(longest_first, milliseconds(24));
  EXPECT_EQ(longest_second, milliseconds(49));
}

TEST(SemanticsNumbers, ARetryBudgetIsTwentyPercentButAtLeastThree) {
  config::BackendPolicy policy;
  policy.retry_budget.emplace();
  Limits limits;
  EXPECT_EQ(allowed_retries(policy, limits), 3U);
  for (int i = 0; i < 60; ++i) limits.requests.acquire_unchecked();
  for (int i = 0; i < 40; ++i) limits.pending.acquire_unchecked();
  EXPECT_EQ(allowed_retries(policy, limits), 20U);
}

// S2: http2MaxRequests 2, three at once: exactly one is refused.
TEST(SemanticsNumbers, TheThirdOfThreeRequestsIsOverALimitOfTwo) {
  Limits limits;
  int refused = 0;
  for (int i = 0; i < 3; ++i) refused += limits.requests.try_acquire(2) ? 0 : 1;
  EXPECT_EQ(refused, 1);
}

// S7: of two hosts one refuses; two retries and avoidance leave it with the last word once in 64 x 64.
TEST(SemanticsNumbers, TwoRetriesThatAvoidPreviousHostsNearlyAlwaysFindTheOtherOfTwo) {
  base::Random random(1);
  const std::vector<Candidate> candidates(2);
  constexpr std::uint32_t kDown = 0;
  EndpointPicker picker(config::LoadBalancer::least_request);
  constexpr int kRequests = 40'960;
  int errors = 0;
  int retried_twice = 0;
  for (int i = 0; i < kRequests; ++i) {
    std::vector<std::uint32_t> previous;
    std::uint32_t picked = picker.pick(candidates, 50, random);
    while (picked == kDown && previous.size() < 2) {
      previous.push_back(picked);
      picked = pick_avoiding(picker, candidates, 50, previous, random);
    }
    errors += picked == kDown ? 1 : 0;
    retried_twice += previous.size() == 2 ? 1 : 0;
  }
  EXPECT_LT(errors, 20);                 // expected 5
  EXPECT_NEAR(retried_twice, 320, 100);  // half of all begin there, 1 of 64 of those stays
}

}  // namespace
}  // namespace proxy::policy
