#include "agent/kube/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;

TEST(BackoffTest, DoublesFromATenthOfASecondToHalfAMinute) {
  base::Random random(1);
  Backoff backoff;
  for (const auto ceiling : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30000ms, 30000ms}) {
    const auto wait = backoff.next(random);
    EXPECT_LE(wait, ceiling);
    EXPECT_GE(wait, ceiling / 2);
  }
}

TEST(BackoffTest, BeginsAgainAfterAReset) {
  base::Random random(1);
  Backoff backoff;
  for (int i = 0; i < 20; ++i) (void)backoff.next(random);
  backoff.reset();
  EXPECT_LE(backoff.next(random), Backoff::kFirst);
}

TEST(BackoffTest, DiffersFromAgentToAgent) {
  base::Random random(1);
  std::set<std::chrono::milliseconds> waits;
  for (int agent = 0; agent < 100; ++agent) waits.insert(jittered(Backoff::kLongest, random));
  EXPECT_GT(waits.size(), 90U);
}

}  // namespace
}  // namespace agent::kube
