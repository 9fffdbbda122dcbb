#include "base/utf8.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Utf8, EndsBeforeTheFirstByteThatDoesNotFit) {
  const std::pair<std::string_view, std::size_t> kCases[] = {
      {"", 0},
      {"plain", 5},
      {"caf\xc3\xa9", 5},
      {"\xe2\x82\xac\xf0\x9f\x98\x80", 7},
      {"a\xe9 b", 1},           // Latin-1
      {"ab\xc3", 2},            // cut off
      {"a\xe2\x82", 1},         // cut off
      {"a\x80", 1},             // begins in the middle
      {"\xc0\xaf", 0},          // overlong
      {"\xe0\x80\xaf", 0},      // overlong
      {"\xf0\x80\x80\xaf", 0},  // overlong
      {"\xed\x9f\xbf", 3},      // the last before the surrogates
      {"\xed\xa0\x80", 0},      // a surrogate
      {"\xf4\x8f\xbf\xbf", 4},  // the last there is
      {"\xf4\x90\x80\x80", 0},  // beyond
      {"\xff\xfe", 0},
  };
  for (const auto& [text, expected] : kCases) EXPECT_EQ(utf8_prefix(text), expected) << text;
}

}  // namespace
}  // namespace base
