#include "agent/telemetry/negotiation.h"

#include <gtest/gtest.h>

namespace agent::telemetry {
namespace {

TEST(Negotiation, GivesAScraperTheFormatItPrefers) {
  const struct {
    std::string_view accept;
    PageFormat format;
  } cases[] = {
      {"", PageFormat::text},
      {"*/*", PageFormat::text},
      {"text/plain", PageFormat::text},
      {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PageFormat::text},
      {"image/png", PageFormat::text},
      {"application/openmetrics-text", PageFormat::openmetrics},
      {"Application/OpenMetrics-Text; Version=\"1.0.0\"", PageFormat::openmetrics},
      {"application/openmetrics-text;version=0.0.1", PageFormat::text},
      {"text/plain;q=0.9, application/openmetrics-text;q=0.1", PageFormat::text},
      {"text/plain, application/openmetrics-text", PageFormat::openmetrics},
      {"application/openmetrics-text;q=0, */*", PageFormat::text},
      {"application/openmetrics-text;q=nonsense, text/plain;q=0.1", PageFormat::text},
      // Prometheus 2.42
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
       "plain;version="
       "0.0.4;q=0.5,*/*;q=0.1",
       PageFormat::openmetrics},
      // Prometheus 3
      {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
       "openmetrics-text;version=0.0.1;"
       "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
       PageFormat::openmetrics},
      {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;"
       "version=0.0.4;q=0.6",
       PageFormat::text},
      {",;=, ;q=1,\"", PageFormat::text},
  };
  for (const auto& c : cases) EXPECT_EQ(negotiate_format(c.accept), c.format) << c.accept;
}

TEST(Negotiation, CompressesOnlyForThoseWhoTakeIt) {
  const struct {
    std::string_view accept_encoding;
    bool is_accepted;
  } cases[] = {
      {"", false},
      {"gzip", true},
      {"GZIP", true},
      {"deflate, gzip;q=1.0, *;q=0.5", true},
      {"gzip;q=0", false},
      {"*", true},
      {"*;q=0", false},
      {"gzip;q=0, *", false},
      {"br", false},
      {"identity;q=1", false},
      {"x-gzip;q=0.1", true},
      {"gzipped", false},
  };
  for (const auto& c : cases) EXPECT_EQ(accepts_gzip(c.accept_encoding), c.is_accepted) << c.accept_encoding;
}

}  // namespace
}  // namespace agent::telemetry
