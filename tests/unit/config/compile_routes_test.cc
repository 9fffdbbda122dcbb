#include <gmock/gmock.h>

#include "config/compile/routes.h"
#include "tests/unit/config/support.h"

// What VirtualServices become for each client (SEMANTICS 2.1, 2.2, 2.3).
namespace config {
namespace {

using namespace std::chrono_literals;
using test::backend_name;
using test::compile_text;
using test::find_virtual_host;
using test::istio_document;
using test::kClient;
using test::kGreeter;
using test::routes_of;
using test::virtual_service;
using test::workload;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kHost = "greeter-service.default.svc.cluster.local";
const std::string kOnlyToGreeter = "- route: [{destination: {host: greeter-service}}]\n";
const std::string kToGreeter = "  route: [{destination: {host: greeter-service}}]\n";

// Routes of client.default to the greeter, when these are the rules.
std::vector<Route> routes_with(const std::string& rules) {
  return routes_of(compile_text(kGreeter + kClient + virtual_service(rules)).config, "client", kHost);
}

std::vector<std::string> names_of(const std::vector<Route>& routes) {
  std::vector<std::string> names;
  for (const Route& route : routes) names.push_back(route.name);
  return names;
}

std::string entry(std::string_view name, std::string_view host, std::string_view more = "") {
  return istio_document("ServiceEntry", name,
                        "{hosts: ['" + std::string(host) + "'], ports: [{number: 3000, name: http, protocol: HTTP}], " +
                            "resolution: STATIC, endpoints: [{address: 10.9.0.1}]" + std::string(more) + "}");
}

TEST(Domains, AreTheNamesByWhichAClientReachesAHost) {
  const std::tuple<const char*, const char*, std::vector<std::string>> cases[] = {
      {"web.shop.svc.cluster.local",
       "shop",
       {"web.shop.svc.cluster.local", "web.shop.svc.cluster.local.", "web", "web.shop.svc", "web.shop"}},
      {"web.shop.svc.cluster.local",
       "default",
       {"web.shop.svc.cluster.local", "web.shop.svc.cluster.local.", "web.shop.svc", "web.shop"}},
      {"web.shop.svc.example.org", "shop", {"web.shop.svc.example.org", "web.shop.svc.example.org."}},
      {"api.example.com", "shop", {"api.example.com", "api.example.com."}},
      {"10.0.0.1", "shop", {"10.0.0.1"}},
  };
  for (const auto& [host, viewer, expected] : cases) {
    EXPECT_EQ(domains_of(host, viewer, "cluster.local"), expected) << host << " from " << viewer;
  }
}

TEST(Routes, WithoutRulesThereIsOneToAllEndpoints) {
  const NodeConfig config = compile_text(kGreeter + kClient).config;
  const VirtualHost* host = find_virtual_host(config.route_tables.at(0), 3000, "127.77.0.9");
  ASSERT_NE(host, nullptr) << "the service's address is a name of it";
  EXPECT_EQ(host->name, std::string(kHost) + ":3000");
  ASSERT_THAT(host->routes, SizeIs(1));
  const Route& route = host->routes[0];
  EXPECT_EQ(route.name, "default");
  EXPECT_EQ(route.match, RouteMatch{});
  EXPECT_EQ(backend_name(config, route), "outbound|3000||" + std::string(kHost));
  EXPECT_EQ(route.retry, RetryPolicy{});
  EXPECT_EQ(route.timeout, std::nullopt);
  EXPECT_EQ(route.decorator_operation, std::string(kHost) + ":3000/*");
  EXPECT_EQ(route.origin, "");
}

TEST(Routes, AreThereForPortsThatCarryHttpOnly) {
  const NodeConfig config =
      compile_text(kClient + istio_document("ServiceEntry", "default/db",
                                            "{hosts: [db.example.com], resolution: STATIC, addresses: [10.0.0.1], "
                                            "ports: [{number: 5432, name: db, protocol: TCP}, "
                                            "{number: 8080, name: web, protocol: HTTP}]}"))
          .config;
  ASSERT_THAT(config.route_tables.at(0).ports, SizeIs(1));
  EXPECT_EQ(config.route_tables[0].ports[0].port, 8080);
}

TEST(Routes, EachConditionIsOneInItsOrder) {
  const auto routes = routes_with("- name: first\n  match: [{name: a, uri: {exact: /a}}, {uri: {regex: /b+}}]\n" +
                                  kToGreeter + "  timeout: 3s\n- name: last\n" + kToGreeter);
  EXPECT_THAT(names_of(routes), ElementsAre("first.a", "first", "last"));
  EXPECT_EQ(routes[0].match.uri, (StringMatch{MatchKind::exact, "/a", false}));
  EXPECT_EQ(routes[1].match.uri, (StringMatch{MatchKind::regex, "/b+", false}));
  EXPECT_EQ(routes[0].timeout, 3s);
  EXPECT_EQ(routes[1].timeout, 3s);
  EXPECT_EQ(routes[2].timeout, std::nullopt);
  EXPECT_THAT(routes[0].origin, HasSubstr("test.yaml:"));
  EXPECT_THAT(routes[2].origin, HasSubstr(" VirtualService default/greeter-service http[1]"));
}

TEST(Routes, NothingComesAfterOneThatTakesEverything) {
  const std::pair<const char*, bool> cases[] = {
      {"", true},  // a rule without conditions
      {"{uri: {prefix: /}}", true},
      {"{uri: {regex: '.*'}}", true},
      {"{port: 3000}", true},
      {"{sourceLabels: {app: client}}", true},
      {"{uri: {prefix: /a}}", false},
      {"{uri: {exact: /}}", false},
      {"{uri: {prefix: /}, headers: {x: {}}}", false},
      {"{uri: {prefix: /}, withoutHeaders: {x: {exact: a}}}", false},
      {"{uri: {prefix: /}, queryParams: {x: {}}}", false},
      {"{method: {exact: GET}}", false},
      {"{authority: {prefix: greeter}}", false},
  };
  for (const auto& [condition, takes_everything] : cases) {
    const std::string match = *condition == '\0' ? "" : "  match: [" + std::string(condition) + "]\n";
    const auto routes = routes_with("- name: first\n" + match + kToGreeter + "- name: last\n" + kToGreeter);
    EXPECT_EQ(routes.size(), takes_everything ? 1U : 2U) << condition;
  }
}

TEST(Routes, ConditionsOnTheClientAreDecidedForEachWorkload) {
  struct Case {
    const char* condition;
    bool client, other, elsewhere;  // who has the route
  };
  const Case cases[] = {
      {"{sourceLabels: {app: client}}", true, false, true},
      {"{sourceLabels: {app: client, tier: web}}", false, false, true},
      {"{sourceNamespace: default}", true, true, false},
      {"{sourceNamespace: default, sourceLabels: {app: client}}", true, false, false},
      {"{port: 3000}", true, true, true},
      {"{port: 3001}", false, false, false},
      {"{gateways: [mesh]}", true, true, true},
      {"{gateways: [mesh], sourceLabels: {app: client}}", true, true, true},  // as istiod decides it
      {"{gateways: [edge]}", false, false, false},
  };
  const std::string workloads = workload("default/client", "{app: client}") +
                                workload("default/other", "{app: other}") +
                                workload("shop/elsewhere", "{app: client, tier: web}");
  for (const Case& c : cases) {
    const auto [config, findings, destinations, hosts] =
        compile_text(kGreeter + workloads +
                     virtual_service("- name: conditional\n  match: [" + std::string(c.condition) + "]\n" + kToGreeter +
                                     "- name: rest\n" + kToGreeter));
    const auto has_route = [&](const char* name) {
      return names_of(routes_of(config, name, kHost)).front() == "conditional";
    };
    EXPECT_EQ(has_route("client"), c.client) << c.condition;
    EXPECT_EQ(has_route("other"), c.other) << c.condition;
    EXPECT_EQ(has_route("elsewhere"), c.elsewhere) << c.condition;
  }
}

TEST(Routes, WorkloadsThatSeeTheSameShareATable) {
  const std::string workloads = workload("default/a", "{app: a}") + workload("default/b", "{app: b}") +
                                workload("default/canary", "{track: canary}") + workload("shop/a", "{app: a}");
  const NodeConfig config =
      compile_text(kGreeter + workloads +
                   virtual_service("- match: [{sourceLabels: {track: canary}}]\n" + kToGreeter + kOnlyToGreeter))
          .config;
  ASSERT_THAT(config.workloads, SizeIs(4));
  EXPECT_EQ(config.workloads[0].route_table, config.workloads[1].route_table);
  EXPECT_NE(config.workloads[0].route_table, config.workloads[2].route_table);
  EXPECT_NE(config.workloads[0].route_table, config.workloads[3].route_table) << "another namespace";
  EXPECT_THAT(config.route_tables, SizeIs(3));
  EXPECT_THAT(config.backends, SizeIs(1)) << "the policy is the same for all";
}

TEST(Routes, WeightsCountWhereThereIsAChoice) {
  struct Case {
    std::vector<int> weights;
    std::vector<std::uint32_t> expected;
    std::uint32_t total;
  };
  const Case cases[] = {{{7}, {1}, 1}, {{90, 10}, {90, 10}, 100}, {{3, 0, 1}, {3, 1}, 4}, {{1, 0}, {1}, 1}};
  for (const Case& c : cases) {
    std::string rule = "- route:\n";
    for (const int weight : c.weights) {
      rule += "  - {destination: {host: greeter-service}, weight: " + std::to_string(weight) + "}\n";
    }
    const auto routes = routes_with(rule);
    ASSERT_THAT(routes, SizeIs(1));
    std::vector<std::uint32_t> weights;
    for (const Destination& destination : routes[0].destinations) weights.push_back(destination.weight);
    EXPECT_EQ(weights, c.expected) << rule;
    EXPECT_EQ(routes[0].total_weight, c.total) << rule;
  }
}

TEST(Routes, ADestinationThatDoesNotExistForTheClientIsNC) {
  const std::string others =
      istio_document("ServiceEntry", "default/other",
                     "{hosts: [other.example.com], resolution: STATIC, "
                     "ports: [{number: 80, name: http, protocol: HTTP}, {number: 3000, name: h3, protocol: HTTP}]}") +
      istio_document("ServiceEntry", "default/one-port",
                     "{hosts: [one-port.example.com], resolution: STATIC, "
                     "ports: [{number: 80, name: http, protocol: HTTP}]}") +
      entry("shop/hidden", "hidden.example.com", ", exportTo: ['.']") +
      istio_document("DestinationRule", "default/greeter", "{host: greeter-service, " + test::kSubsets + "}");
  const std::pair<const char*, std::string> cases[] = {
      {"{host: greeter-service}", "outbound|3000||" + std::string(kHost)},
      {"{host: greeter-service, subset: v2}", "outbound|3000|v2|" + std::string(kHost)},
      {"{host: greeter-service, subset: v9}", "NC"},
      {"{host: greeter-service, port: {number: 3001}}", "NC"},
      {"{host: other.example.com}", "outbound|3000||other.example.com"},
      {"{host: other.example.com, port: {number: 80}}", "outbound|80||other.example.com"},
      {"{host: one-port.example.com}", "NC"},  // the port is the one the client connected to
      {"{host: hidden.example.com}", "NC"},
      {"{host: nobody.example.com}", "NC"},
  };
  for (const auto& [destination, expected] : cases) {
    const NodeConfig config =
        compile_text(kGreeter + kClient + others +
                     virtual_service("- route: [{destination: " + std::string(destination) + "}]"))
            .config;
    const auto routes = routes_of(config, "client", kHost);
    ASSERT_THAT(routes, SizeIs(1));
    EXPECT_EQ(backend_name(config, routes[0]), expected) << destination;
  }
}

TEST(Routes, CarryWhatTheRuleSaysOfFaultsAndReplies) {
  const auto routes = routes_with(
      "- match: [{uri: {prefix: /teapot}}]\n  directResponse: {status: 418, body: {string: short}}\n"
      "- fault: {abort: {httpStatus: 500, percentage: {value: 25}}}\n" +
      kToGreeter);
  ASSERT_THAT(routes, SizeIs(2));
  EXPECT_EQ(routes[0].direct_response, (DirectResponse{418, "short"}));
  EXPECT_THAT(routes[0].destinations, IsEmpty());
  EXPECT_EQ(routes[1].fault.abort_status, 500);
  EXPECT_EQ(routes[1].fault.abort_per_million, 250'000U);
}

TEST(Routes, NameTheOperationAfterTheOnlyDestinationOrTheDocument) {
  const std::pair<const char*, std::string> cases[] = {
      {"- match: [{uri: {prefix: /api}}]\n  route: [{destination: {host: greeter-service}}]",
       std::string(kHost) + ":3000/api*"},
      {"- match: [{uri: {exact: /api}}]\n  route: [{destination: {host: greeter-service}}]",
       std::string(kHost) + ":3000/api"},
      {"- route: [{destination: {host: greeter-service, port: {number: 81}}}]", std::string(kHost) + ":81/*"},
      {"- route: [{destination: {host: greeter-service}, weight: 1}, {destination: {host: a.b}, weight: 1}]",
       "greeter-service:3000/*"},
  };
  for (const auto& [rule, expected] : cases) {
    const auto routes = routes_with(rule);
    ASSERT_THAT(routes, SizeIs(1));
    EXPECT_EQ(routes[0].decorator_operation, expected) << rule;
  }
}

// A VirtualService whose only rule has its own name.
std::string rules(std::string_view name, std::string_view hosts, std::string_view more = "",
                  std::string_view created = "") {
  const std::string rule(name.substr(name.find('/') + 1));
  return istio_document("VirtualService", name,
                        "{hosts: " + std::string(hosts) + ", http: [{name: " + rule +
                            ", route: [{destination: {host: " + kHost + "}}]}]" + std::string(more) + "}",
                        created);
}

TEST(Routes, OneVirtualServiceHasAHost) {
  const std::string host = "[" + std::string(kHost) + "]";
  const std::tuple<const char*, std::string, const char*> cases[] = {
      {"the first document", rules("default/b", host) + rules("default/a", host), "b"},
      {"the oldest object",
       rules("default/young", host, "", "2026-02-01T00:00:00Z") +
           rules("default/old", host, "", "2026-01-01T00:00:00Z"),
       "old"},
      {"by name among those of one second",
       rules("default/b", host, "", "2026-01-01T00:00:00Z") + rules("default/a", host, "", "2026-01-01T00:00:00Z"),
       "a"},
      {"a private one", rules("shop/public", host) + rules("default/own", host, ", exportTo: ['.']"), "own"},
      {"one exported to this namespace",
       rules("default/public", host) + rules("shop/for-default", host, ", exportTo: [default]"), "for-default"},
      {"an own private one before one exported",
       rules("shop/for-default", host, ", exportTo: [default]") + rules("default/own", host, ", exportTo: ['.']"),
       "own"},
      {"the exact host before a wildcard",
       rules("default/wild", "['*.default.svc.cluster.local']") + rules("default/exact", host), "exact"},
      {"the longest wildcard",
       rules("default/short", "['*.local']") + rules("default/long", "['*.default.svc.cluster.local']"), "long"},
      {"not one that is exported elsewhere", rules("shop/elsewhere", host, ", exportTo: [shop]"), "default"},
      {"not one of a gateway", rules("default/edge", host, ", gateways: [edge]"), "default"},
      {"one of a gateway and the mesh", rules("default/both", host, ", gateways: [edge, mesh]"), "both"},
  };
  for (const auto& [what, documents, expected] : cases) {
    const auto routes = routes_of(compile_text(kGreeter + kClient + documents).config, "client", kHost);
    EXPECT_THAT(names_of(routes), ElementsAre(expected)) << what;
  }
}

TEST(Routes, OfAServiceThatIsNotExportedAreForItsNamespaceOnly) {
  const NodeConfig config = compile_text(entry("shop/private", "private.example.com", ", exportTo: ['.']") +
                                         workload("shop/inside") + workload("default/outside"))
                                .config;
  const auto table = [&](std::size_t workload) -> const RouteTable& {
    return config.route_tables.at(config.workloads.at(workload).route_table);
  };
  EXPECT_NE(find_virtual_host(table(0), 3000, "private.example.com"), nullptr);
  EXPECT_EQ(find_virtual_host(table(1), 3000, "private.example.com"), nullptr);
}

TEST(Routes, AHostWithoutAServiceIsServedWhereItsDocumentHasServicesAndOn80) {
  const std::string on_80 = istio_document(
      "ServiceEntry", "default/web",
      "{hosts: [web.example.com], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}]}");
  const NodeConfig config = compile_text(kGreeter + kClient + on_80 +
                                         rules("default/shared", "[" + std::string(kHost) + ", virtual.example.com]") +
                                         rules("default/alone", "[alone.example.com]"))
                                .config;
  const RouteTable& table = config.route_tables.at(0);
  EXPECT_NE(find_virtual_host(table, 3000, "virtual.example.com"), nullptr);
  EXPECT_NE(find_virtual_host(table, 80, "virtual.example.com"), nullptr);
  EXPECT_EQ(find_virtual_host(table, 3000, "alone.example.com"), nullptr);
  EXPECT_NE(find_virtual_host(table, 80, "alone.example.com"), nullptr);
}

TEST(Routes, ATableSaysWhatBecomesOfUnknownHosts) {
  const std::string settings =
      "\n---\napiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: node}\n"
      "spec: {unknownHosts: REGISTRY_ONLY}\n";
  EXPECT_EQ(compile_text(kGreeter + kClient).config.route_tables.at(0).unknown_hosts, UnknownHostPolicy::allow_any);
  EXPECT_EQ(compile_text(kGreeter + kClient + settings).config.route_tables.at(0).unknown_hosts,
            UnknownHostPolicy::registry_only);
}

constexpr std::uint32_t kBuiltInList = RetryPolicy{}.retry_on;
constexpr std::uint32_t kLegacyList =
    kRetryOn5xx | kRetryOnGatewayError | kRetryOnConnectFailure | kRetryOnRefusedStream;

TEST(Retries, AreIstiosOwnWithoutABlock) {
  EXPECT_EQ(resolve_retries(std::nullopt, 1s, Semantics::istio), RetryPolicy{});
  EXPECT_EQ(resolve_retries(std::nullopt, 1s, Semantics::legacy), RetryPolicy{});
}

TEST(Retries, AreNoneWithZeroAttempts) {
  const RetryPolicy policy = resolve_retries(RetrySettings{.attempts = 0}, std::nullopt, Semantics::istio);
  EXPECT_EQ(policy.max_retries, 0U);
  EXPECT_EQ(policy.retry_on, 0U);
}

TEST(Retries, TheListIsReplacedOrTheProfiles) {
  struct Case {
    std::uint32_t retry_on;
    Semantics semantics;
    std::uint32_t expected;
  };
  const Case cases[] = {{0, Semantics::istio, kBuiltInList},
                        {0, Semantics::legacy, kLegacyList},
                        {kRetryOnReset, Semantics::istio, kRetryOnReset},
                        {kRetryOnReset, Semantics::legacy, kRetryOnReset}};
  for (const Case& c : cases) {
    const RetryPolicy policy =
        resolve_retries(RetrySettings{.attempts = 3, .retry_on = c.retry_on}, std::nullopt, c.semantics);
    EXPECT_EQ(policy.max_retries, 3U);
    EXPECT_EQ(policy.retry_on, c.expected);
  }
}

TEST(Retries, ATryThatMayLastAsLongAsTheRequestHasNoLimit) {
  const auto per_try = [](Milliseconds limit, std::optional<Milliseconds> timeout) {
    return resolve_retries(RetrySettings{.attempts = 1, .per_try_timeout = limit}, timeout, Semantics::istio)
        .per_try_timeout;
  };
  EXPECT_EQ(per_try(500ms, std::nullopt), 500ms);
  EXPECT_EQ(per_try(500ms, 501ms), 500ms);
  EXPECT_EQ(per_try(500ms, 500ms), std::nullopt);
  EXPECT_EQ(per_try(500ms, 100ms), std::nullopt);
}

TEST(Retries, TheBackOffGrowsTenfoldAndHostsMayBeTriedAgain) {
  const RetryPolicy plain = resolve_retries(RetrySettings{.attempts = 1}, std::nullopt, Semantics::istio);
  EXPECT_EQ(plain.backoff_base, 25ms);
  EXPECT_EQ(plain.backoff_max, 250ms);
  EXPECT_TRUE(plain.avoids_previous_hosts);
  const RetryPolicy other = resolve_retries(
      RetrySettings{.attempts = 1, .ignores_previous_hosts = false, .backoff = 40ms}, std::nullopt, Semantics::istio);
  EXPECT_EQ(other.backoff_base, 40ms);
  EXPECT_EQ(other.backoff_max, 400ms);
  EXPECT_FALSE(other.avoids_previous_hosts);
}

TEST(Retries, OfARuleReplaceTheNodesDefault) {
  const std::string settings =
      "\n---\napiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: node}\n"
      "spec: {defaultRetries: {attempts: 7, retryOn: reset}}\n";
  const NodeConfig config =
      compile_text(kGreeter + kClient + settings +
                   virtual_service("- match: [{uri: {prefix: /own}}]\n  retries: {attempts: 1, retryOn: 5xx}\n" +
                                   kToGreeter + kOnlyToGreeter))
          .config;
  const auto routes = routes_of(config, "client", kHost);
  ASSERT_THAT(routes, SizeIs(2));
  EXPECT_EQ(routes[0].retry.max_retries, 1U);
  EXPECT_EQ(routes[0].retry.retry_on, kRetryOn5xx);
  EXPECT_EQ(routes[1].retry.max_retries, 7U);
  EXPECT_EQ(routes[1].retry.retry_on, kRetryOnReset);
}

// A subset is told by its own place in the document, a rule without one by its document.
TEST(Backends, SayWhichDestinationRulesTheirPolicyComesFrom) {
  const std::string documents = kGreeter + kClient + test::destination_rule(test::kSubsets) +
                                virtual_service(
                                    "- match: [{uri: {prefix: /v1}}]\n"
                                    "  route: [{destination: {host: greeter-service, subset: v1}}]\n" +
                                    kOnlyToGreeter);
  const NodeConfig config = compile_text(documents).config;
  const Backend* const subset = test::find_backend(config, "outbound|3000|v1|" + std::string(kHost));
  ASSERT_NE(subset, nullptr);
  EXPECT_THAT(subset->origin, ::testing::StartsWith("test.yaml:"));
  EXPECT_THAT(subset->origin, HasSubstr(" DestinationRule default/greeter-service subsets[0]"));
  const Backend* const whole = test::find_backend(config, "outbound|3000||" + std::string(kHost));
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole->origin, "") << "the rule says nothing about all endpoints";
}

TEST(Describe, LeavesFileAndLineOutForObjectsOfACluster) {
  const DocumentId id{"VirtualService", "shop", "web"};
  EXPECT_EQ(describe({"kubernetes", 0, 0, "spec.http[0]"}, id), "VirtualService shop/web http[0]");
  EXPECT_EQ(describe({"a.yaml", 3, 1, ""}, id), "a.yaml:3 VirtualService shop/web");
}

}  // namespace
}  // namespace config
