#include "proxy/policy/load_balancer.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace proxy::policy {
namespace {

using config::LoadBalancer;

constexpr std::uint32_t kPanicDefault = 50;
constexpr std::uint32_t kPanicOff = 0;

std::vector<Candidate> healthy(std::size_t count) { return std::vector<Candidate>(count); }

std::vector<Candidate> weighted(std::initializer_list<std::uint32_t> weights) {
  std::vector<Candidate> candidates;
  for (const std::uint32_t weight : weights) candidates.push_back({.weight = weight});
  return candidates;
}

std::map<std::uint32_t, int> count_picks(EndpointPicker& picker, std::span<const Candidate> candidates, int picks,
                                         base::Random& random, std::uint32_t panic_percent = kPanicDefault) {
  std::map<std::uint32_t, int> counts;
  for (int i = 0; i < picks; ++i) ++counts[picker.pick(candidates, panic_percent, random)];
  return counts;
}

constexpr std::array kAlgorithms = {LoadBalancer::round_robin, LoadBalancer::least_request, LoadBalancer::random};

TEST(EndpointPicker, WithoutCandidatesThereIsNoEndpoint) {
  base::Random random(1);
  for (const LoadBalancer algorithm : kAlgorithms) {
    EndpointPicker picker(algorithm);
    EXPECT_EQ(picker.pick({}, kPanicDefault, random), kNoEndpoint);
    EXPECT_EQ(picker.pick({}, 100, random), kNoEndpoint);
  }
}

TEST(EndpointPicker, ASingleCandidateIsAlwaysPicked) {
  base::Random random(1);
  for (const LoadBalancer algorithm : kAlgorithms) {
    EndpointPicker picker(algorithm);
    EXPECT_EQ(count_picks(picker, weighted({7}), 100, random)[0], 100);
  }
}

TEST(EndpointPicker, RoundRobinGoesRoundInOrder) {
  base::Random random(5);
  EndpointPicker picker(LoadBalancer::round_robin);
  const auto candidates = healthy(4);
  std::uint32_t last = picker.pick(candidates, kPanicDefault, random);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t next = picker.pick(candidates, kPanicDefault, random);
    EXPECT_EQ(next, (last + 1) % 4);
    last = next;
  }
}

TEST(EndpointPicker, RoundRobinGivesExactShares) {
  base::Random random(5);
  EndpointPicker picker(LoadBalancer::round_robin);
  for (const auto& [endpoint, count] : count_picks(picker, healthy(3), 60, random)) EXPECT_EQ(count, 20) << endpoint;
}

TEST(EndpointPicker, RoundRobinBeginsAnywhere) {
  const auto candidates = healthy(4);
  std::map<std::uint32_t, int> first;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    base::Random random(seed);
    EndpointPicker picker(LoadBalancer::round_robin);
    ++first[picker.pick(candidates, kPanicDefault, random)];
  }
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_NEAR(first[i], 100, 40) << i;
}

TEST(EndpointPicker, EjectedEndpointsAreLeftOutInEveryAlgorithm) {
  auto candidates = healthy(5);
  candidates[1].is_healthy = candidates[4].is_healthy = false;
  base::Random random(9);
  for (const LoadBalancer algorithm : kAlgorithms) {
    for (const bool is_weighted : {false, true}) {
      candidates[0].weight = is_weighted ? 2 : 1;
      EndpointPicker picker(algorithm);
      auto counts = count_picks(picker, candidates, 3000, random);
      EXPECT_EQ(counts[1], 0);
      EXPECT_EQ(counts[4], 0);
      EXPECT_GT(counts[0], 600);
      EXPECT_GT(counts[2], 600);
      EXPECT_GT(counts[3], 600);
    }
  }
}

TEST(EndpointPicker, RoundRobinSharesEquallyAmongWhoIsLeft) {
  auto candidates = healthy(4);
  candidates[0].is_healthy = false;
  base::Random random(2);
  EndpointPicker picker(LoadBalancer::round_robin);
  auto counts = count_picks(picker, candidates, 300, random);
  for (std::uint32_t i = 1; i < 4; ++i) EXPECT_EQ(counts[i], 100);
}

// Recorded on a running Envoy: with four endpoints one ejection is never panic, two are it below 51 %.
TEST(EndpointPicker, PanicUsesEveryoneBelowTheThreshold) {
  struct Case {
    std::size_t total, ejected;
    std::uint32_t panic_percent;
    bool is_panic;
  };
  for (const Case& test : {
           Case{4, 2, 50, false},  // half is not below half
           Case{4, 2, 51, true},
           Case{4, 2, 60, true},
           Case{4, 1, 72, false},  // 75 % healthy: whole with overprovisioning
           Case{4, 1, 80, false},
           Case{4, 1, 100, false},
           Case{3, 1, 75, true},    // 66.7 % healthy
           Case{7, 2, 100, false},  // 5 of 7: the border of overprovisioning
           Case{14, 5, 100, true},
           Case{2, 0, 100, false},
           Case{3, 2, 50, true},
           Case{3, 2, 34, true},
           Case{3, 2, 33, false},
           Case{2, 2, 1, true},
       }) {
    auto candidates = healthy(test.total);
    for (std::size_t i = 0; i < test.ejected; ++i) candidates[i].is_healthy = false;
    for (const LoadBalancer algorithm : kAlgorithms) {
      base::Random random(3);
      EndpointPicker picker(algorithm);
      auto counts = count_picks(picker, candidates, 400, random, test.panic_percent);
      for (std::uint32_t i = 0; i < test.total; ++i) {
        EXPECT_EQ(counts[i] > 0, test.is_panic || i >= test.ejected)
            << test.ejected << " of " << test.total << " ejected, " << test.panic_percent << " %, endpoint " << i;
      }
    }
  }
}

// S6: an outlierDetection block without minHealthPercent switches panic off.
TEST(EndpointPicker, WithPanicOffNobodyHealthyMeansNoEndpoint) {
  auto candidates = healthy(3);
  for (Candidate& candidate : candidates) candidate.is_healthy = false;
  base::Random random(3);
  for (const LoadBalancer algorithm : kAlgorithms) {
    EndpointPicker picker(algorithm);
    EXPECT_EQ(picker.pick(candidates, kPanicOff, random), kNoEndpoint);
    EXPECT_NE(picker.pick(candidates, kPanicDefault, random), kNoEndpoint);
  }
}

TEST(EndpointPicker, WeightedRoundRobinGivesExactSharesInEachRotation) {
  base::Random random(4);
  EndpointPicker picker(LoadBalancer::round_robin);
  auto counts = count_picks(picker, weighted({1, 3}), 80, random);
  EXPECT_EQ(counts[0], 20);
  EXPECT_EQ(counts[1], 60);
}

TEST(EndpointPicker, WeightedRoundRobinSpreadsTheHeavyOne) {
  base::Random random(4);
  EndpointPicker picker(LoadBalancer::round_robin);
  const auto candidates = weighted({1, 3, 2});
  std::string order;
  for (int i = 0; i < 24; ++i) order += std::to_string(picker.pick(candidates, kPanicDefault, random));
  // The rotation of a running Envoy for these weights, begun anywhere.
  constexpr std::string_view kRotation = "021121021121021121021121021121";
  EXPECT_NE(kRotation.find(order), std::string_view::npos) << order;
}

TEST(EndpointPicker, WeightedRoundRobinBeginsAnywhereInItsRotation) {
  const auto candidates = weighted({1, 3});
  int light_first = 0;
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    base::Random random(seed);
    EndpointPicker picker(LoadBalancer::round_robin);
    light_first += picker.pick(candidates, kPanicDefault, random) == 0;
  }
  EXPECT_NEAR(light_first, 1000, 120);
}

TEST(EndpointPicker, WeightedRoundRobinFollowsChangesOfWeightHealthAndNumber) {
  base::Random random(4);
  EndpointPicker picker(LoadBalancer::round_robin);
  auto candidates = weighted({1, 3});
  count_picks(picker, candidates, 41, random);
  candidates[0].weight = 9;
  EXPECT_NEAR(count_picks(picker, candidates, 120, random)[0], 90, 1);
  candidates.push_back({.weight = 12});
  EXPECT_NEAR(count_picks(picker, candidates, 240, random)[2], 120, 1);
  candidates[2].is_healthy = false;
  EXPECT_NEAR(count_picks(picker, candidates, 120, random)[0], 90, 1);
  candidates.pop_back();
  EXPECT_NEAR(count_picks(picker, candidates, 120, random)[1], 30, 1);
}

TEST(EndpointPicker, EqualWeightsAreNoWeights) {
  base::Random random(4);
  EndpointPicker picker(LoadBalancer::least_request);
  auto candidates = weighted({5, 5, 5});
  candidates[0].active_requests = 100;
  auto counts = count_picks(picker, candidates, 9000, random);
  EXPECT_NEAR(counts[0], 1000, 150);  // only when both choices fall on it
}

TEST(EndpointPicker, LeastRequestTakesTheLessLoadedOfTwoRandomOnes) {
  base::Random random(6);
  EndpointPicker picker(LoadBalancer::least_request);
  auto candidates = healthy(3);
  candidates[0].active_requests = 2;
  candidates[1].active_requests = 1;
  auto counts = count_picks(picker, candidates, 90'000, random);
  // Drawn with replacement: the busiest 1/9, the middle 3/9, the idle 5/9.
  EXPECT_NEAR(counts[0], 10'000, 500);
  EXPECT_NEAR(counts[1], 30'000, 800);
  EXPECT_NEAR(counts[2], 50'000, 800);
}

TEST(EndpointPicker, LeastRequestOverIdleEndpointsIsUniform) {
  base::Random random(6);
  EndpointPicker picker(LoadBalancer::least_request);
  for (const auto& [endpoint, count] : count_picks(picker, healthy(4), 40'000, random)) {
    EXPECT_NEAR(count, 10'000, 500) << endpoint;
  }
}

TEST(EndpointPicker, WeightedLeastRequestFollowsTheWeightsWhenIdle) {
  base::Random random(6);
  EndpointPicker picker(LoadBalancer::least_request);
  auto counts = count_picks(picker, weighted({1, 3}), 200, random);
  EXPECT_NEAR(counts[0], 50, 1);
  EXPECT_NEAR(counts[1], 150, 1);
}

TEST(EndpointPicker, WeightedLeastRequestTakesWeightFromABusyEndpoint) {
  base::Random random(6);
  EndpointPicker picker(LoadBalancer::least_request);
  auto candidates = weighted({1, 3});
  candidates[1].active_requests = 2;  // 3 / (2 + 1) = 1
  auto counts = count_picks(picker, candidates, 200, random);
  EXPECT_NEAR(counts[0], 100, 2);
  EXPECT_NEAR(counts[1], 100, 2);
}

TEST(EndpointPicker, RandomIgnoresWeightsAndLoad) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::random);
  auto candidates = weighted({1, 9});
  candidates[0].active_requests = 50;
  auto counts = count_picks(picker, candidates, 20'000, random);
  EXPECT_NEAR(counts[0], 10'000, 400);
}

TEST(PickAvoiding, WithoutAPreviousOneIsAPick) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::round_robin);
  const auto candidates = healthy(2);
  const std::uint32_t first = pick_avoiding(picker, candidates, kPanicDefault, {}, random);
  EXPECT_EQ(pick_avoiding(picker, candidates, kPanicDefault, {}, random), 1 - first);
}

TEST(PickAvoiding, RoundRobinOfTwoAlwaysFindsTheOther) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::round_robin);
  const auto candidates = healthy(2);
  const std::array<std::uint32_t, 1> previous = {1};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(pick_avoiding(picker, candidates, kPanicDefault, previous, random), 0U);
  }
}

// SEMANTICS 2.11: avoidance is probabilistic. Six draws of one in two: 1/64 stay.
TEST(PickAvoiding, GivesUpAfterFiveReselections) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::random);
  const auto candidates = healthy(2);
  const std::array<std::uint32_t, 1> previous = {0};
  int stayed = 0;
  constexpr int kExpected = 1000;
  constexpr int kRounds = 64 * kExpected;
  for (int i = 0; i < kRounds; ++i) {
    stayed += pick_avoiding(picker, candidates, kPanicDefault, previous, random) == 0;
  }
  EXPECT_NEAR(stayed, kExpected, 150);
}

TEST(PickAvoiding, WhenAllWereTriedTheLastPickStands) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::random);
  const auto candidates = healthy(3);
  const std::array<std::uint32_t, 3> previous = {0, 1, 2};
  for (int i = 0; i < 20; ++i) EXPECT_LT(pick_avoiding(picker, candidates, kPanicDefault, previous, random), 3U);
}

TEST(PickAvoiding, NobodyStaysNobody) {
  base::Random random(8);
  EndpointPicker picker(LoadBalancer::random);
  const std::array<std::uint32_t, 1> previous = {0};
  EXPECT_EQ(pick_avoiding(picker, {}, kPanicDefault, previous, random), kNoEndpoint);
}

}  // namespace
}  // namespace proxy::policy
