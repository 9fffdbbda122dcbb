#include "cli/load/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli::load {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

Outcome outcome_of(std::uint64_t good, std::uint64_t overflow) {
  Outcome outcome;
  outcome.codes = {{200, good}, {503, overflow}};
  for (std::uint64_t i = 0; i < good + overflow; ++i) outcome.durations.add(1200us);
  outcome.elapsed = 50ms;
  outcome.sockets = 11;
  outcome.header_bytes = 100 * (good + overflow);
  outcome.body_bytes = 50 * (good + overflow);
  return outcome;
}

TEST(Share, AddsUpToTheTotal) {
  for (const std::uint64_t total : {1ULL, 20ULL, 50ULL, 1001ULL}) {
    for (const std::uint32_t connections : {1U, 2U, 3U, 7U}) {
      std::uint64_t sum = 0;
      for (std::uint32_t i = 0; i < connections; ++i) sum += share_of(total, connections, i);
      EXPECT_EQ(sum, total) << total << " over " << connections;
    }
  }
  EXPECT_EQ(share_of(50, 3, 0), 17U);
  EXPECT_EQ(share_of(50, 3, 2), 16U);
}

TEST(TextReport, HasFortiosLines) {
  const Plan plan{.connections = 2, .requests = 20};
  const auto text = text_report(plan, outcome_of(11, 9));
  EXPECT_THAT(text, HasSubstr("\nCode 200 : 11 (55.0 %)\nCode 503 : 9 (45.0 %)\n"));
  EXPECT_THAT(text, HasSubstr("\n# target 50% 0.0012\n"));
  EXPECT_THAT(text, HasSubstr("\n# target 99.9% 0.0012\n"));
  EXPECT_THAT(text, HasSubstr("\nSockets used: 11 (for perfect keepalive, would be 2)\n"));
  EXPECT_THAT(text, HasSubstr("\nAll done 20 calls (plus 0 warmup) 1.200 ms avg, 400.0 qps\n"));
  EXPECT_THAT(text, HasSubstr("# range, mid point, percentile, count\n"));
  EXPECT_THAT(text_report(plan, outcome_of(11, 9), {.has_distribution = false}), Not(HasSubstr("# range")));
}

TEST(TextReport, CountsRequestsWithoutAnAnswerAsMinusOne) {
  Outcome outcome;
  outcome.codes = {{kNoAnswer, 3}};
  outcome.failures = {{"Connection refused", 3}};
  for (int i = 0; i < 3; ++i) outcome.durations.add(1ms);
  const auto text = text_report(Plan{}, outcome);
  EXPECT_THAT(text, HasSubstr("\nCode  -1 : 3 (100.0 %)\nNo answer : 3 (Connection refused)\n"));
  EXPECT_EQ(outcome.answers(), 0U);
}

TEST(TextReport, SaysSoWhenNothingWasSent) {
  EXPECT_THAT(text_report(Plan{}, Outcome{}), HasSubstr("All done 0 calls"));
}

TEST(CodesIn, ReadsTheReportBack) {
  EXPECT_THAT(codes_in(text_report(Plan{}, outcome_of(11, 9))), UnorderedElementsAre(Pair(200, 11), Pair(503, 9)));
  EXPECT_THAT(codes_in("Code  -1 : 3 (100.0 %)\nnoise\n"), UnorderedElementsAre(Pair(-1, 3)));
  EXPECT_TRUE(codes_in("no code here").empty());
}

TEST(JsonReport, HasFortiosKeys) {
  const auto json = json_report(Plan{.connections = 2}, outcome_of(11, 9));
  EXPECT_THAT(json, HasSubstr("\"RetCodes\": {\"200\": 11, \"503\": 9}"));
  EXPECT_THAT(json, HasSubstr("\"ActualDuration\": 50000000"));
  EXPECT_THAT(json, HasSubstr("{\"Percentile\": 99.9, \"Value\": 0.0012}"));
  EXPECT_THAT(json, HasSubstr("\"RequestedQPS\": \"max\""));
}

}  // namespace
}  // namespace cli::load
