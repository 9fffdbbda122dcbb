#include "base/random.h"

#include <gtest/gtest.h>

TEST(Random, TheSameSeedGivesTheSameSequence) {
  base::Random first(7);
  base::Random second(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.next(), second.next());
}

TEST(Random, BelowStaysUnderItsBoundAndReachesEveryValue) {
  base::Random random(1);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen.at(random.below(5));
  for (int count : seen) EXPECT_GT(count, 100);
  EXPECT_EQ(random.below(0), 0U);
}
