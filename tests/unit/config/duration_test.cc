#include "config/yaml/duration.h"

#include <gtest/gtest.h>

namespace config::yaml {
namespace {

using namespace std::chrono_literals;

TEST(Duration, AcceptsTheGrammarOfGo) {
  const std::pair<const char*, std::chrono::nanoseconds> kCases[] = {
      {"500ms", 500ms}, {"0.5s", 500ms},     {".5s", 500ms},      {"1.s", 1s}, {"1h2m", 62min}, {"1h30m5s", 90min + 5s},
      {"100us", 100us}, {"7ns", 7ns},        {"2\xc2\xb5s", 2us}, {"0s", 0s},  {"0", 0s},       {"-1s", -1s},
      {"+2s", 2s},      {"0.0015s", 1500us}, {"1m1ms", 60'001ms},
  };
  for (const auto& [text, expected] : kCases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, SaysWhatIsWrongAndWhatToWrite) {
  const std::pair<const char*, const char*> kCases[] = {
      {"5", "\"5\" has no unit; write for example 500ms or 2s"},
      {"1h5", "\"1h5\" has no unit; write for example 500ms or 2s"},
      {"", "\"\" is not a duration; write for example 500ms, 2s or 1h30m"},
      {"s", "\"s\" is not a duration; write for example 500ms, 2s or 1h30m"},
      {"abc", "\"abc\" is not a duration; write for example 500ms, 2s or 1h30m"},
      {"5 s", "\"5 s\" has a unit that is not known; units are h, m, s, ms, us, ns"},
      {"5d", "\"5d\" has a unit that is not known; units are h, m, s, ms, us, ns"},
      {"9999999999h", "\"9999999999h\" is longer than a century; leave the field out for no limit"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error(), expected);
  }
}

}  // namespace
}  // namespace config::yaml
