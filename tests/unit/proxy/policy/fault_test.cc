#include "proxy/policy/fault.h"

#include <gtest/gtest.h>

namespace proxy::policy {
namespace {

constexpr config::FaultPolicy kBoth{.delay = config::Milliseconds(300),
                                    .delay_per_million = 1'000'000,
                                    .abort_status = 503,
                                    .abort_per_million = 1'000'000};

TEST(Fault, AHundredPercentAlwaysHappensAndZeroNever) {
  base::Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const FaultDecision both = roll_fault(kBoth, random);
    EXPECT_EQ(both.delay, config::Milliseconds(300));
    EXPECT_EQ(both.abort_status, 503);

    config::FaultPolicy none = kBoth;
    none.delay_per_million = none.abort_per_million = 0;  // percentage not written
    const FaultDecision neither = roll_fault(none, random);
    EXPECT_EQ(neither.delay, config::Milliseconds(0));
    EXPECT_EQ(neither.abort_status, 0);
  }
}

TEST(Fault, WithoutAFaultNothingIsDecided) {
  base::Random random(1);
  const FaultDecision decision = roll_fault(config::FaultPolicy{}, random);
  EXPECT_EQ(decision.delay, config::Milliseconds(0));
  EXPECT_EQ(decision.abort_status, 0);
}

TEST(Fault, DelayAndAbortAreRolledIndependently) {
  config::FaultPolicy policy = kBoth;
  policy.delay_per_million = 500'000;
  policy.abort_per_million = 250'000;
  base::Random random(42);
  int delays = 0;
  int aborts = 0;
  int both = 0;
  for (int i = 0; i < 40'000; ++i) {
    const FaultDecision decision = roll_fault(policy, random);
    delays += decision.delay.count() > 0;
    aborts += decision.abort_status != 0;
    both += decision.delay.count() > 0 && decision.abort_status != 0;
  }
  EXPECT_NEAR(delays, 20'000, 600);
  EXPECT_NEAR(aborts, 10'000, 500);
  EXPECT_NEAR(both, 5'000, 400);
}

TEST(Fault, AThousandthOfAPercentIsRolledAsSuch) {
  config::FaultPolicy policy = kBoth;
  policy.abort_per_million = 10;  // 0.001 %
  base::Random random(3);
  int aborts = 0;
  for (int i = 0; i < 2'000'000; ++i) aborts += roll_fault(policy, random).abort_status != 0;
  EXPECT_GT(aborts, 5);
  EXPECT_LT(aborts, 45);
}

}  // namespace
}  // namespace proxy::policy
