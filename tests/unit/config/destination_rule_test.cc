#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using test::destination_rule;
using test::errors_of;
using test::load;
using test::warnings_of;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TrafficPolicy read_policy(std::string_view policy) {
  const Documents documents = load(destination_rule("trafficPolicy: " + std::string(policy)));
  return documents.destination_rules.at(0).policy.value_or(TrafficPolicy{});
}

std::string error_of(std::string_view fields) {
  const auto errors = errors_of(destination_rule(fields));
  return errors.empty() ? "" : errors.front().substr(errors.front().find(" spec") + 1);
}

TEST(DestinationRule, ReadsTheConnectionPool) {
  const TrafficPolicy policy = read_policy(
      "{connectionPool: {tcp: {maxConnections: 1, connectTimeout: 2s, maxConnectionDuration: 3s, idleTimeout: 9s, "
      "tcpKeepalive: {probes: 4, time: 5s, interval: 500ms}}, http: {http1MaxPendingRequests: 6, http2MaxRequests: 7, "
      "maxRequestsPerConnection: 8, maxRetries: 9, idleTimeout: 10s}}}");
  ConnectionPoolPolicy expected;
  expected.max_connections = 1;
  expected.connect_timeout = 2s;
  expected.max_connection_duration = 3s;
  expected.tcp_keepalive = {.probes = 4, .time = 5s, .interval = 1s};  // the kernel counts whole seconds
  expected.max_pending_requests = 6;
  expected.max_requests = 7;
  expected.max_requests_per_connection = 8;
  expected.max_retries = 9;
  expected.idle_timeout = 10s;
  EXPECT_EQ(policy.connection_pool, expected);
}

TEST(DestinationRule, TakesZeroForUnlimited) {
  const TrafficPolicy policy = read_policy(
      "{connectionPool: {tcp: {maxConnections: 0}, http: {http2MaxRequests: 0, "
      "http1MaxPendingRequests: 0, maxRetries: 0}}}");
  EXPECT_EQ(policy.connection_pool, ConnectionPoolPolicy{});
}

TEST(DestinationRule, LetsTheTcpIdleTimeoutBeZeroWhichIsNever) {
  EXPECT_EQ(read_policy("{connectionPool: {tcp: {idleTimeout: 7s}}}").connection_pool->idle_timeout, 7s);
  EXPECT_GT(read_policy("{connectionPool: {tcp: {idleTimeout: 0s}}}").connection_pool->idle_timeout, 24h * 365);
}

TEST(DestinationRule, ReadsOutlierDetection) {
  const auto outlier =
      read_policy(
          "{outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 2, consecutiveErrors: 9, "
          "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, interval: 1s, baseEjectionTime: "
          "2m, "
          "maxEjectionPercent: 34, minHealthPercent: 20}}")
          .outlier;
  ASSERT_TRUE(outlier.has_value());
  OutlierPolicy expected;
  expected.consecutive_5xx = 0;
  expected.consecutive_gateway = 2;
  expected.splits_local_origin = true;
  expected.consecutive_local_origin = 3;
  expected.interval = 1s;
  expected.base_ejection_time = 2min;
  expected.max_ejection_percent = 34;
  expected.min_health_percent = 20;
  EXPECT_EQ(outlier->policy, expected);
  EXPECT_EQ(outlier->consecutive_errors, 9);
  EXPECT_EQ(read_policy("{outlierDetection: {}}").outlier->policy, OutlierPolicy{});
  EXPECT_EQ(read_policy("{outlierDetection: {maxEjectionPercent: 0}}").outlier->policy, OutlierPolicy{});
}

TEST(DestinationRule, ReadsLoadBalancersAndRetryBudget) {
  const std::pair<const char*, LoadBalancer> kCases[] = {
      {"ROUND_ROBIN", LoadBalancer::round_robin},     {"RANDOM", LoadBalancer::random},
      {"LEAST_REQUEST", LoadBalancer::least_request}, {"LEAST_CONN", LoadBalancer::least_request},
      {"UNSPECIFIED", LoadBalancer::least_request},   {"PASSTHROUGH", LoadBalancer::least_request},
  };
  for (const auto& [word, expected] : kCases) {
    EXPECT_EQ(read_policy(std::string("{loadBalancer: {simple: ") + word + "}}").load_balancer, expected) << word;
  }
  EXPECT_EQ(read_policy("{retryBudget: {percent: 12.5, minRetryConcurrency: 1}}").retry_budget,
            (RetryBudgetPolicy{12.5, 1}));
  EXPECT_EQ(read_policy("{retryBudget: {percent: 0, minRetryConcurrency: 0}}").retry_budget,
            (RetryBudgetPolicy{0, 3}));  // Istio takes 0 for "not set"
  EXPECT_EQ(read_policy("{retryBudget: {}}").retry_budget, RetryBudgetPolicy{});
}

TEST(DestinationRule, RefusesWhatIstioRefuses) {
  const std::pair<const char*, const char*> kCases[] = {
      {"trafficPolicy: {connectionPool: {tcp: {connectTimeout: 0s}}}",
       "spec.trafficPolicy.connectionPool.tcp.connectTimeout: \"0s\" is too short; allowed is at least 1ms; leave the "
       "field out for no limit"},
      {"trafficPolicy: {outlierDetection: {consecutiveLocalOriginFailures: 2}}",
       "spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures: needs splitExternalLocalOriginErrors: "
       "true; "
       "add it or remove this field"},
      {"trafficPolicy: {}", "spec.trafficPolicy: is empty; add a block such as connectionPool or remove it"},
      {"trafficPolicy: {connectionPool: {}}",
       "spec.trafficPolicy.connectionPool: has neither tcp nor http; add one or remove the block"},
      {"trafficPolicy: {connectionPool: {http: {maxRetries: -1}}}",
       "spec.trafficPolicy.connectionPool.http.maxRetries: -1 is out of range; allowed is 0 to 2147483647"},
      {"trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}",
       "spec.trafficPolicy.outlierDetection.maxEjectionPercent: 101 is out of range; allowed is 0 to 100"},
      {"trafficPolicy: {loadBalancer: {simple: FASTEST}}",
       "spec.trafficPolicy.loadBalancer.simple: \"FASTEST\" is not known; allowed: UNSPECIFIED, LEAST_CONN, RANDOM, "
       "PASSTHROUGH, ROUND_ROBIN or LEAST_REQUEST"},
      {"trafficPolicy: {loadBalancer: {consistentHash: {maglev: {}}}}",
       "spec.trafficPolicy.loadBalancer.consistentHash.maglev: tableSize must be a prime number below 5000011, for "
       "example 65537"},
      {"trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}",
       "spec.trafficPolicy.portLevelSettings[0]: has no block; add for example connectionPool"},
      {"trafficPolicy: {portLevelSettings: []}",
       "spec.trafficPolicy: is empty; add a block such as connectionPool or remove it"},
      {"trafficPolicy: {tunnel: {targetHost: '*', targetPort: 80}}",
       "spec.trafficPolicy.tunnel.targetHost: \"*\" is not a host name: \"*\" must be letters, digits and inner "
       "hyphens, "
       "at most 63"},
      {"trafficPolicy: {tls: {mode: MUTUAL}}",
       "spec.trafficPolicy.tls: clientCertificate is missing; mode MUTUAL requires it"},
      {"subsets: [{name: v1}, {name: v1}]", "spec.subsets[1].name: the subset \"v1\" is there twice; remove one"},
      {"subsets: [{name: v1, labels: {version: 1}}]",
       "spec.subsets[0].labels.version: 1 is a number where text is expected; put it in quotes: \"1\""},
      {"workloadSelector: {matchLabels: {app: a}}\nexportTo: ['*']",
       "spec.exportTo: a rule with workloadSelector is private to its namespace; remove exportTo"},
      {"trafficPolicy: {conectionPool: {}}",
       "spec.trafficPolicy.conectionPool: is not a known field; did you mean connectionPool?"},
      {"trafficPolicy: {connectionPool: {http: {http2MaxRequest: 1}}}",
       "spec.trafficPolicy.connectionPool.http.http2MaxRequest: is not a known field; did you mean http2MaxRequests?"},
  };
  for (const auto& [fields, expected] : kCases) EXPECT_EQ(error_of(fields), expected) << fields;
}

TEST(DestinationRule, RefusesLocalitiesThatIstioRefuses) {
  const auto error_of_setting = [](std::string_view setting) {
    return error_of("trafficPolicy: {loadBalancer: {localityLbSetting: {" + std::string(setting) + "}}}");
  };
  const std::string setting = "spec.trafficPolicy.loadBalancer.localityLbSetting";
  EXPECT_EQ(error_of_setting("distribute: [{from: a/b/*, to: {a/b/c: 80, d: 20}}, {from: d, to: {'*': 100}}]"), "");
  EXPECT_EQ(error_of_setting("distribute: [{from: a, to: {a: 50}}]"),
            setting + ".distribute[0]: the weights add up to 50; they must make 100");
  EXPECT_EQ(error_of_setting("distribute: [{from: a, to: {a: 0, b: 100}}]"),
            setting + ".distribute[0].to.a: is 0; allowed is 1 to 100");
  EXPECT_EQ(
      error_of_setting("distribute: [{from: a//c, to: {a: 100}}]"),
      setting + ".distribute[0].from: \"a//c\" is not a locality; write region, region/zone or region/zone/subzone");
  EXPECT_EQ(error_of_setting("distribute: [{from: 'a/*/c', to: {a: 100}}]"),
            setting + ".distribute[0].from: \"a/*/c\" is not a locality: * may only stand at the end");
  EXPECT_EQ(error_of_setting("distribute: [{from: a, to: {a: 100}}, {from: a/b, to: {a: 100}}]"),
            setting + ".distribute[1].from: \"a/b\" overlaps with another locality of the list; remove one");
  EXPECT_EQ(error_of_setting("failover: [{from: a, to: a}]"),
            setting + ".failover[0]: from and to are the same region; failover goes to another one");
  EXPECT_EQ(error_of_setting("failover: [{from: a/z, to: b}]"),
            setting + ".failover[0]: from and to are regions: no zone and no *");
  EXPECT_EQ(error_of_setting("failover: [{from: a, to: b}], distribute: [{from: a, to: {a: 100}}]"),
            setting + ": has both distribute and failover; keep one");
  EXPECT_EQ(error_of_setting("failover: [{from: a, to: b}], failoverPriority: [topology.kubernetes.io/zone]"),
            setting +
                ".failoverPriority[0]: \"topology.kubernetes.io/zone\" cannot stand together with failover; remove "
                "one of them");
  EXPECT_EQ(
      error_of("trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {failoverPriority: "
               "[topology.kubernetes.io/zone]}}}"),
      "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting.failoverPriority[0]: \"topology.kubernetes.io/zone\" is "
      "taken care of by zone awareness itself; remove it");
}

TEST(DestinationRule, RefusesAnAddressAsHostAsIstioDoes) {
  const auto errors = errors_of(
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: 10.0.0.1}\n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors.front(), ::testing::HasSubstr("\"10.0.0.1\" is not a host name: the last part is a number"));
}

TEST(DestinationRule, NamesEveryFieldThatIsNotEnforced) {
  const auto warnings = warnings_of(destination_rule(
      "trafficPolicy:\n"
      "  loadBalancer: {consistentHash: {httpHeaderName: x}, localityLbSetting: {failover: [{from: a, to: b}]},\n"
      "                 warmup: {duration: 10s}}\n"
      "  connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 3, http2KeepAlive: {interval: 1s, "
      "timeout: 1s}}}\n"
      "  outlierDetection: {outlierDetectionHttpErrorCodes: ['429']}\n"
      "  tls: {mode: SIMPLE}\n"
      "  proxyProtocol: {version: V2}\n"
      "  retryBudget: {budgetInterval: 1s}\n"
      "  portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: PASSTHROUGH}}]\n"
      "subsets: [{name: v1, trafficPolicy: {connectionPool: {http: {useClientProtocol: true}}}}]\n"));
  std::vector<std::string> paths;
  for (const Finding& finding : warnings) {
    EXPECT_EQ(finding.code, kNotEnforced) << finding.to_string();
    paths.push_back(finding.path);
  }
  const std::string policy = "spec.trafficPolicy.";
  EXPECT_THAT(paths,
              UnorderedElementsAre(
                  policy + "loadBalancer.consistentHash", policy + "loadBalancer.localityLbSetting",
                  policy + "loadBalancer.warmup", policy + "connectionPool.http.h2UpgradePolicy",
                  policy + "connectionPool.http.maxConcurrentStreams", policy + "connectionPool.http.http2KeepAlive",
                  policy + "outlierDetection.outlierDetectionHttpErrorCodes", policy + "tls", policy + "proxyProtocol",
                  policy + "retryBudget.budgetInterval", policy + "portLevelSettings[0].loadBalancer.simple",
                  "spec.subsets[0].trafficPolicy.connectionPool.http.useClientProtocol"));
}

TEST(DestinationRule, SaysNothingWhereTheUnenforcedValueIsWhatHappensAnyway) {
  EXPECT_THAT(warnings_of(destination_rule(
                  "trafficPolicy: {tls: {mode: DISABLE}, loadBalancer: {localityLbSetting: {enabled: false}}, "
                  "connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: false}}}")),
              IsEmpty());
}

}  // namespace
}  // namespace config
