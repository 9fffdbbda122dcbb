#include "cli/demo/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli::demo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::string_view kPage = R"(# HELP istio_requests_total Requests
# TYPE istio_requests_total counter
istio_requests_total{reporter="source",response_code="200",response_flags="-",destination_app="greeter-service"} 4
istio_requests_total{reporter="source",response_code="200",response_flags="-",destination_app="greeter-service",v="2"} 2
istio_requests_total{reporter="source",response_code="503",response_flags="UO",destination_app="greeter-service"} 3
istio_requests_total{reporter="destination",response_code="200",response_flags="-",destination_app="greeter-service"} 6
istio_requests_total{reporter="source",response_code="200",response_flags="-",destination_app="other"} 9
istio_requests_total_more{reporter="source"} 5
fairlead_proxy_up 1
)";

const std::vector<std::pair<std::string, std::string>> kGreeter{{"destination_app", "greeter-service"},
                                                                {"reporter", "source"}};

TEST(SumBy, AddsUpWhatMatches) {
  EXPECT_THAT(sum_by(parse_metrics(kPage), "istio_requests_total", kGreeter, {"response_code", "response_flags"}),
              UnorderedElementsAre(Pair(ElementsAre("200", "-"), 6), Pair(ElementsAre("503", "UO"), 3)));
}

TEST(SumBy, WithoutLabelsIsOneSum) {
  EXPECT_THAT(sum_by(parse_metrics(kPage), "fairlead_proxy_up", {}, {}), UnorderedElementsAre(Pair(IsEmpty(), 1)));
  EXPECT_THAT(sum_by(parse_metrics(kPage), "absent", {}, {}), IsEmpty());
}

TEST(ParseMetrics, ReadsEscapesAndExemplarsAndLeavesOutWhatIsNoSample) {
  const auto samples = parse_metrics(
      "a{x=\"q\\\"u\\\\o\\nte,}\",y=\"\"} 1.5e3\n"
      "b 2 1700000000\n"
      "c{x=\"unterminated} 1\n"
      "d{x} 1\n"
      "e{} nothing\n"
      "f{le=\"+Inf\"} 3 # {trace_id=\"1\"} 4");
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[0].labels.at("x"), "q\"u\\o\nte,}");
  EXPECT_EQ(samples[0].value, 1500);
  EXPECT_EQ(samples[1].value, 2);
  EXPECT_EQ(samples[2].value, 3);
}

TEST(Difference, LeavesOutWhatDidNotChange) {
  EXPECT_THAT(difference({{{"200"}, 4}, {{"503"}, 1}}, {{{"200"}, 4}, {{"503"}, 3}, {{"504"}, 1}}),
              UnorderedElementsAre(Pair(ElementsAre("503"), 2), Pair(ElementsAre("504"), 1)));
}

}  // namespace
}  // namespace cli::demo
