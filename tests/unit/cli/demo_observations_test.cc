#include "cli/demo/observations.h"

#include <gtest/gtest.h>

namespace cli::demo {
namespace {

TEST(ParseCalls, ReadsWhatHellowebAnswers) {
  const auto calls = parse_calls(R"({"hello": {"status": 200, "seconds": 0.004, "body": {"message": "hello"}},
                                     "version": {"status": 504, "seconds": 0.503, "body": "upstream request timeout"}})");
  ASSERT_TRUE(calls) << calls.error().message;
  ASSERT_EQ(calls->size(), 2U);
  EXPECT_EQ(calls->at(0).name, "hello");
  EXPECT_EQ(calls->at(0).status, 200);
  EXPECT_EQ(calls->at(0).body, R"({"message":"hello"})");
  EXPECT_DOUBLE_EQ(calls->at(1).seconds, 0.503);
  EXPECT_EQ(calls->at(1).body, "upstream request timeout");
}

TEST(ParseCalls, FailsOnAnythingElse) {
  for (const auto* answer : {"", "upstream request timeout", "[1]"}) EXPECT_FALSE(parse_calls(answer)) << answer;
}

TEST(ParseArrivals, ReadsWholeLinesOnly) {
  const auto arrivals = parse_arrivals(
      "{\"time\": 17.25, \"version\": \"v3\", \"path\": \"/version\", \"attempt\": \"2\", \"request_id\": null}\n"
      "not json\n"
      "{\"time\": 18, \"version\": \"v3\", \"path\": \"/hello\", \"attempt\": null}\n"
      "{\"time\": 19, \"vers");
  ASSERT_EQ(arrivals.size(), 2U);
  EXPECT_DOUBLE_EQ(arrivals[0].time, 17.25);
  EXPECT_EQ(arrivals[0].attempt, "2");
  EXPECT_EQ(arrivals[1].attempt, "");
  EXPECT_EQ(arrivals[1].path, "/hello");
}

}  // namespace
}  // namespace cli::demo
