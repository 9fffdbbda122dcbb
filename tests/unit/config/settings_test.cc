#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using test::errors_of;
using test::load;
using ::testing::ElementsAre;

std::string settings(std::string_view spec) {
  return "apiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: s}\nspec: {" + std::string(spec) + "}\n";
}

TEST(Settings, ReadsEveryOption) {
  const Settings read = load(settings(R"(semantics: legacy, workers: 3,
  admin: {address: '[::1]:9000'}, cluster: {name: c1, domain: example.org, rootNamespace: mesh-root},
  unknownHosts: REGISTRY_ONLY, defaultRetries: {attempts: 1, retryOn: 5xx}, serverHeader: istio-envoy,
  accessLog: {format: json, path: /var/log/a, flushInterval: 50ms},
  limits: {requestHeadBytes: 2048, responseHeadBytes: 4096, headers: 5, retryBufferBytes: 6, podBufferBytes: 65537,
           nodeBufferBytes: 1048577, streamBufferBytes: 8192, podConnections: 9, downstreamIdleTimeout: 10s,
           requestHeadTimeout: 11s, delayedClose: 12ms},
  telemetry: {maxSeries: 1000, destinationReporter: never, dropLabels: [source_version], tcp: false})"))
                            .settings;
  Settings expected;
  expected.semantics = Semantics::legacy;
  expected.workers = 3;
  expected.admin_address = *base::SocketAddress::parse("[::1]:9000");
  expected.cluster_domain = "example.org";
  expected.root_namespace = "mesh-root";
  expected.unknown_hosts = UnknownHostPolicy::registry_only;
  expected.default_retries = RetrySettings{.attempts = 1,
                                           .retry_on = kRetryOn5xx,
                                           .retriable_status_codes = {},
                                           .per_try_timeout = {},
                                           .ignores_previous_hosts = {},
                                           .backoff = {}};
  expected.destination_reporter = DestinationReporter::never;
  expected.drop_labels = {"source_version"};
  ProxySettings& proxy = expected.proxy;
  proxy.cluster_name = "c1";
  proxy.server_header = "istio-envoy";
  proxy.access_log_format = AccessLogFormat::json;
  proxy.access_log_path = "/var/log/a";
  proxy.access_log_flush_interval = 50ms;
  proxy.max_request_head_bytes = 2048;
  proxy.max_response_head_bytes = 4096;
  proxy.max_headers = 5;
  proxy.retry_buffer_bytes = 6;
  proxy.pod_buffer_bytes = 65537;
  proxy.node_buffer_bytes = 1048577;
  proxy.stream_buffer_bytes = 8192;
  proxy.max_connections_per_pod = 9;
  proxy.downstream_idle_timeout = 10s;
  proxy.request_headers_timeout = 11s;
  proxy.delayed_close = 12ms;
  proxy.max_series = 1000;
  proxy.reports_destination = false;
  proxy.counts_tcp = false;
  EXPECT_EQ(read, expected);
}

TEST(Settings, AreTheDefaultsWithoutADocument) { EXPECT_EQ(load("").settings, Settings{}); }

TEST(Settings, RefuseWhatIsOutOfRange) {
  const std::pair<const char*, const char*> kCases[] = {
      {"semantics: isto", "spec.semantics: \"isto\" is not known; did you mean istio? Allowed: istio or legacy"},
      {"workers: 1000", "spec.workers: 1000 is out of range; allowed is 0 to 256"},
      {"admin: {address: localhost}",
       "spec.admin.address: \"localhost\" is not an address and port; write for example 127.0.0.1:15020"},
      {"accessLog: {format: xml}", "spec.accessLog.format: \"xml\" is not known; allowed: off, text or json"},
      {"accessLog: {path: log}", "spec.accessLog.path: \"log\" is not an absolute path"},
      {"accessLog: {flushInterval: 2h}",
       "spec.accessLog.flushInterval: \"2h\" is too long; allowed is at most 60000ms"},
      {"limits: {headers: 0}", "spec.limits.headers: 0 is out of range; allowed is 1 to 100"},
      {"limits: {delayedClose: 5}", "spec.limits.delayedClose: \"5\" has no unit; write for example 500ms or 2s"},
      {"telemetry: {dropLabels: [response_code]}",
       "spec.telemetry.dropLabels[0]: \"response_code\" cannot be dropped; dashboards need it. Allowed: "
       "source_version, "
       "destination_version, source_app, destination_app, source_principal and destination_principal"},
      {"telemetry: {maxserie: 3}", "spec.telemetry.maxserie: is not a known field; did you mean maxSeries?"},
      {"defaultRetries: {attempts: 0, retryOn: 5xx}",
       "spec.defaultRetries.retryOn: is set although attempts is 0, which means no retries; set attempts to at least "
       "1"},
      {"cluster: {rootNamespace: a.b}", "spec.cluster.rootNamespace: \"a.b\" is not a namespace"},
  };
  for (const auto& [spec, expected] : kCases) {
    const auto errors = errors_of(settings(spec));
    ASSERT_FALSE(errors.empty()) << spec;
    EXPECT_EQ(errors[0].substr(errors[0].find(" spec") + 1), expected);
  }
}

TEST(Settings, MayComeAfterTheDocumentsWhoseNamesTheyComplete) {
  const Documents documents = load(test::virtual_service("- route: [{destination: {host: web}}]\n") + "---\n" +
                                   settings("cluster: {domain: example.org}"));
  EXPECT_THAT(documents.virtual_services.at(0).hosts, ElementsAre("greeter-service.default.svc.example.org"));
}

TEST(Settings, AreThereOnce) {
  EXPECT_THAT(errors_of(settings("workers: 1") + "---\n" + settings("workers: 2")),
              ElementsAre("test.yaml:6:1: the document Settings is there already, at test.yaml:1; remove one of them"));
}

}  // namespace
}  // namespace config
