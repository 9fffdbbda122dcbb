#include "cli/duration.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsWhatGoAndFortioWrite) {
  const std::vector<std::pair<std::string, std::chrono::nanoseconds>> cases{
      {"500ms", 500ms}, {"10s", 10s},     {"1.5s", 1500ms}, {"1m30s", 90s},
      {"2h", 2h},       {"250us", 250us}, {"7ns", 7ns},     {"0s", 0s},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_duration(text).value(), expected) << text;
}

TEST(Duration, RefusesWhatHasNoUnitOrIsNoNumber) {
  for (const auto* text : {"", "5", "s", "5x", "-1s", "1s2", "1e3s", "nan", "inf", "99999999999999h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

}  // namespace
}  // namespace cli
