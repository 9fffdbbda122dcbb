#include "telemetry/response_flags.h"

#include <gtest/gtest.h>

namespace telemetry {
namespace {

TEST(ResponseFlags, AreWrittenInEnvoysOrder) {
  const struct {
    std::uint32_t flags;
    std::string_view text;
  } cases[] = {
      {0, "-"},
      {kUpstreamOverflow, "UO"},
      {kUpstreamRequestTimeout | kUpstreamRetryLimitExceeded, "URX,UT"},
      {kUpstreamConnectionFailure | kUpstreamRetryLimitExceeded, "URX,UF"},
      {kFaultInjected | kDelayInjected, "DI,FI"},
      {1U << 31, "-"},
  };
  for (const auto& c : cases) EXPECT_EQ(flags_text(c.flags), c.text);
}

TEST(ResponseFlags, HaveOneBitAndTwoNamesEach) {
  std::uint32_t seen = 0;
  for (const FlagName& flag : flag_names()) {
    EXPECT_TRUE(std::has_single_bit(flag.bit));
    EXPECT_EQ(seen & flag.bit, 0U);
    EXPECT_FALSE(flag.short_name.empty());
    EXPECT_GT(flag.long_name.size(), flag.short_name.size());
    seen |= flag.bit;
  }
  EXPECT_EQ(flags_text(seen).find("--"), std::string::npos);
}

}  // namespace
}  // namespace telemetry
