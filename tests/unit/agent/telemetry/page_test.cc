#include "agent/telemetry/page.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace agent::telemetry {
namespace {

constexpr Family kCounter{"things_total", MetricType::counter, "Things."};
constexpr Family kGauge{"level", MetricType::gauge, "Level."};
constexpr Family kHistogram{"time_seconds", MetricType::histogram, "Time."};

template <typename Write>
std::string page_of(PageFormat format, Write write) {
  std::string out;
  Page page(format, [&out](std::string_view piece) { out += piece; });
  write(page);
  page.finish();
  return out;
}

void write_all(Page& page) {
  page.family(kCounter);
  page.sample(R"(a="1")", std::uint64_t{18446744073709551615U});
  page.sample(R"(a="2")", std::uint64_t{0});
  page.family({"empty", MetricType::gauge, "No sample, no trace."});
  page.family(kGauge);
  page.sample({}, std::int64_t{-3});
  page.sample(R"(b="x")", 0.25);
  page.family(kHistogram);
  page.histogram(R"(c="y")", std::vector<std::string>{"0.5", "1.0"}, std::vector<std::uint64_t>{2, 0, 1}, 3.75);
}

TEST(Page, IsTextFormat004) {
  EXPECT_EQ(page_of(PageFormat::text, write_all),
            "# HELP things_total Things.\n"
            "# TYPE things_total counter\n"
            "things_total{a=\"1\"} 18446744073709551615\n"
            "things_total{a=\"2\"} 0\n"
            "# HELP level Level.\n"
            "# TYPE level gauge\n"
            "level -3\n"
            "level{b=\"x\"} 0.25\n"
            "# HELP time_seconds Time.\n"
            "# TYPE time_seconds histogram\n"
            "time_seconds_bucket{c=\"y\",le=\"0.5\"} 2\n"
            "time_seconds_bucket{c=\"y\",le=\"1.0\"} 2\n"
            "time_seconds_bucket{c=\"y\",le=\"+Inf\"} 3\n"
            "time_seconds_sum{c=\"y\"} 3.75\n"
            "time_seconds_count{c=\"y\"} 3\n");
}

TEST(Page, IsOpenMetrics100) {
  const std::string page = page_of(PageFormat::openmetrics, write_all);
  EXPECT_TRUE(page.starts_with("# HELP things Things.\n# TYPE things counter\nthings_total{a=\"1\"} ")) << page;
  EXPECT_TRUE(page.ends_with("time_seconds_count{c=\"y\"} 3\n# EOF\n")) << page;
  EXPECT_EQ(page_of(PageFormat::openmetrics, [](Page&) {}), "# EOF\n");
}

TEST(Page, WritesBoundsAsPrometheus3StoresThem) {
  const struct {
    double bound;
    std::string_view text;
  } cases[] = {
      {0.0001, "0.0001"},
      {0.005, "0.005"},
      {0.5, "0.5"},
      {1, "1.0"},
      {10, "10.0"},
      {1000, "1000.0"},
      {300000, "300000.0"},
      {600000, "600000.0"},
      {1800000, "1.8e+06"},
      {3600000, "3.6e+06"},
      {std::numeric_limits<double>::infinity(), "+Inf"},
  };
  for (const auto& c : cases) EXPECT_EQ(bound_text(c.bound), c.text);
}

TEST(Page, GoesOutInPieces) {
  std::vector<std::string> pieces;
  Page page(PageFormat::text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  page.family(kCounter);
  const std::string labels = "a=\"" + std::string(1000, 'x') + '"';
  for (int i = 0; i < 1000; ++i) page.sample(labels, std::uint64_t{1});
  page.finish();
  EXPECT_GT(pieces.size(), 10U);
  for (const std::string& piece : pieces) {
    EXPECT_LE(piece.size(), Page::kPieceBytes + 2000);
    EXPECT_EQ(piece.back(), '\n');
  }
}

}  // namespace
}  // namespace agent::telemetry
