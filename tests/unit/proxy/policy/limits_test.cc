#include "proxy/policy/limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace proxy::policy {
namespace {

TEST(AtomicLimit, AcquiresUpToTheMaximumAndAgainAfterARelease) {
  AtomicLimit limit;
  EXPECT_TRUE(limit.try_acquire(2));
  EXPECT_TRUE(limit.try_acquire(2));
  EXPECT_FALSE(limit.try_acquire(2));
  EXPECT_EQ(limit.in_use(), 2U);
  limit.release();
  EXPECT_TRUE(limit.try_acquire(2));
}

TEST(AtomicLimit, UnlimitedIsNotALimit) {
  AtomicLimit limit;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.try_acquire(config::ConnectionPoolPolicy::kUnlimited));
}

// One connection per endpoint is always allowed (SEMANTICS 2.5): it counts, and others see it.
TEST(AtomicLimit, AnUncheckedAcquireMayPassTheMaximumAndCounts) {
  AtomicLimit limit;
  EXPECT_TRUE(limit.try_acquire(1));
  limit.acquire_unchecked();
  EXPECT_EQ(limit.in_use(), 2U);
  limit.release();
  EXPECT_FALSE(limit.try_acquire(1));
  limit.release();
  EXPECT_TRUE(limit.try_acquire(1));
}

TEST(AtomicLimit, ALoweredMaximumRefusesUntilEnoughWereReleased) {
  AtomicLimit limit;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(limit.try_acquire(4));
  EXPECT_FALSE(limit.try_acquire(2));
  limit.release();
  limit.release();
  EXPECT_FALSE(limit.try_acquire(2));
  limit.release();
  EXPECT_TRUE(limit.try_acquire(2));
}

TEST(AtomicLimit, NeverOvershootsWithRacingThreads) {
  constexpr std::uint32_t kMaximum = 3;
  AtomicLimit limit;
  std::atomic<std::uint32_t> holders{0};
  std::atomic<std::uint32_t> most{0};
  std::atomic<std::uint32_t> acquired{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        if (!limit.try_acquire(kMaximum)) continue;
        const std::uint32_t now = holders.fetch_add(1) + 1;
        std::uint32_t seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        acquired.fetch_add(1);
        holders.fetch_sub(1);
        limit.release();
      }
    });
  }
  threads.clear();
  EXPECT_LE(most.load(), kMaximum);
  EXPECT_GT(acquired.load(), 0U);
  EXPECT_EQ(limit.in_use(), 0U);
}

TEST(Permit, GivesBackOnceWhateverHappensToIt) {
  AtomicLimit limit;
  ASSERT_TRUE(limit.try_acquire(10));
  {
    Permit first(limit);
    Permit second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): an empty permit is the claim
    EXPECT_TRUE(second);
    EXPECT_EQ(limit.in_use(), 1U);
    second.release();
    second.release();
    EXPECT_EQ(limit.in_use(), 0U);
  }
  EXPECT_EQ(limit.in_use(), 0U);
}

TEST(Permit, AssigningReleasesWhatWasHeld) {
  AtomicLimit first;
  AtomicLimit second;
  ASSERT_TRUE(first.try_acquire(1) && second.try_acquire(1));
  Permit permit(first);
  permit = Permit(second);
  EXPECT_EQ(first.in_use(), 0U);
  EXPECT_EQ(second.in_use(), 1U);
}

TEST(AllowedRetries, AreMaxRetriesWithoutABudget) {
  config::BackendPolicy policy;
  const Limits limits;
  EXPECT_EQ(allowed_retries(policy, limits), config::ConnectionPoolPolicy::kUnlimited);
  policy.connection_pool.max_retries = 3;
  EXPECT_EQ(allowed_retries(policy, limits), 3U);
}

TEST(AllowedRetries, ABudgetReplacesMaxRetriesAndFollowsActiveAndPendingRequests) {
  struct Case {
    double percent;
    std::uint32_t minimum, active, pending, expected;
  };
  for (const auto& [percent, minimum, active, pending, expected] : {
           Case{20, 3, 0, 0, 3},
           Case{20, 3, 10, 5, 3},
           Case{20, 3, 10, 10, 4},
           Case{20, 3, 15, 9, 4},  // 4.8, rounded down
           Case{100, 3, 40, 2, 42},
           Case{0, 7, 1000, 0, 7},
           Case{12.5, 0, 8, 0, 1},
           Case{20, 0, 4, 0, 0},
       }) {
    config::BackendPolicy policy;
    policy.connection_pool.max_retries = 1;
    policy.retry_budget = config::RetryBudgetPolicy{.percent = percent, .min_retry_concurrency = minimum};
    Limits limits;
    for (std::uint32_t i = 0; i < active; ++i) limits.requests.acquire_unchecked();
    for (std::uint32_t i = 0; i < pending; ++i) limits.pending.acquire_unchecked();
    EXPECT_EQ(allowed_retries(policy, limits), expected) << percent << " % of " << active << " + " << pending;
  }
}

}  // namespace
}  // namespace proxy::policy
