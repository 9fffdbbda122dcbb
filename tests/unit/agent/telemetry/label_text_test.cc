#include "agent/telemetry/label_text.h"

#include <gtest/gtest.h>

namespace agent::telemetry {
namespace {

TEST(LabelText, EscapesWhatWouldEndTheValue) {
  EXPECT_EQ(LabelText().add("a", "x\\y\"z\nw").add("b", "").take(), R"(a="x\\y\"z\nw",b="")");
}

TEST(LabelText, ShowsUtf8AndReplacesWhatIsNot) {
  const struct {
    std::string_view value, shown;
  } cases[] = {
      {"plain", "plain"},
      {"na\xc3\xafve", "na\xc3\xafve"},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"\xff", "unknown"},
      {"cut\xc3", "unknown"},
      {"\xc0\xaf", "unknown"},          // overlong
      {"\xed\xa0\x80", "unknown"},      // surrogate
      {"\xf4\x90\x80\x80", "unknown"},  // above U+10FFFF
  };
  for (const auto& c : cases) EXPECT_EQ(LabelText().add("a", c.value).take(), "a=\"" + std::string(c.shown) + '"');
}

}  // namespace
}  // namespace agent::telemetry
