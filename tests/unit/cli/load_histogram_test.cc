#include "cli/load/histogram.h"

#include <gtest/gtest.h>

namespace cli::load {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, IsEmptyWithoutValues) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(50), 0);
  EXPECT_EQ(histogram.average(), 0);
  EXPECT_EQ(histogram.standard_deviation(), 0);
  EXPECT_TRUE(histogram.ranges().empty());
}

TEST(Histogram, KnowsTheExactMomentsOfItsValues) {
  Histogram histogram;
  for (const auto value : {1ms, 2ms, 3ms, 6ms}) histogram.add(value);
  EXPECT_EQ(histogram.count(), 4U);
  EXPECT_DOUBLE_EQ(histogram.min(), 0.001);
  EXPECT_DOUBLE_EQ(histogram.max(), 0.006);
  EXPECT_DOUBLE_EQ(histogram.sum(), 0.012);
  EXPECT_DOUBLE_EQ(histogram.average(), 0.003);
  EXPECT_NEAR(histogram.standard_deviation(), 0.001870829, 1e-9);
}

TEST(Histogram, PercentilesStayWithinATenthOfTheirBucket) {
  Histogram histogram;
  for (int i = 1; i <= 10'000; ++i) histogram.add(i * 100us);  // uniform in (0, 1 s]
  for (const double percent : {10.0, 50.0, 75.0, 90.0, 99.0, 99.9}) {
    EXPECT_NEAR(histogram.percentile(percent), percent / 100, percent / 100 * 0.002) << percent;
  }
  EXPECT_DOUBLE_EQ(histogram.percentile(100), 1.0);
}

TEST(Histogram, PercentileOfOneValueIsThatValue) {
  Histogram histogram;
  histogram.add(1234us);
  for (const double percent : {0.0, 50.0, 99.9, 100.0}) EXPECT_DOUBLE_EQ(histogram.percentile(percent), 0.001234);
}

TEST(Histogram, CountsValuesBelowAndAboveItsBuckets) {
  Histogram histogram;
  histogram.add(-5ns);
  histogram.add(10ns);
  histogram.add(3h);
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_DOUBLE_EQ(histogram.max(), 10'800);
  EXPECT_DOUBLE_EQ(histogram.percentile(100), 10'800);
}

TEST(Histogram, RangesCoverEveryValueOnce) {
  Histogram histogram;
  for (const auto value : {1200us, 1300us, 2000us, 15000us}) histogram.add(value);
  const auto ranges = histogram.ranges();
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].count, 2U);
  EXPECT_DOUBLE_EQ(ranges[0].from, 0.0012);
  EXPECT_DOUBLE_EQ(ranges[0].to, 0.002);
  EXPECT_DOUBLE_EQ(ranges[0].percentile, 50);
  EXPECT_EQ(ranges[1].count, 1U);
  EXPECT_EQ(ranges[2].count, 1U);
  EXPECT_DOUBLE_EQ(ranges[2].to, 0.015);
  EXPECT_DOUBLE_EQ(ranges[2].percentile, 100);
}

}  // namespace
}  // namespace cli::load
