#include "agent/kube/status/token_bucket.h"

#include <gtest/gtest.h>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
const base::TimePoint t0 = base::TimePoint() + 1h;

TEST(TokenBucket, LetsABurstThroughAndThenOneInEachInterval) {
  TokenBucket bucket(3, 100ms);
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(bucket.next(t0), t0) << i;
    bucket.take(t0);
  }
  EXPECT_EQ(bucket.next(t0), t0 + 100ms);
  bucket.take(t0 + 100ms);
  EXPECT_EQ(bucket.next(t0 + 100ms), t0 + 200ms);
}

TEST(TokenBucket, IsFullAgainAfterARestAndNoFuller) {
  TokenBucket bucket(2, 100ms);
  bucket.take(t0);
  bucket.take(t0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_LE(bucket.next(t0 + 1h), t0 + 1h) << i;
    bucket.take(t0 + 1h);
  }
  EXPECT_GT(bucket.next(t0 + 1h), t0 + 1h);
}

}  // namespace
}  // namespace agent::kube
