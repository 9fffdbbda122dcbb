#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

// A headless service passes, unless a policy names it: then connections to its endpoints are redirected.
namespace config {
namespace {

using test::compile_text;
using test::find_backend;
using test::kClient;
using test::load;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kDb = "db.shop.svc.cluster.local";

std::string headless(const std::string& name, const std::string& port = "{name: http, port: 9200}",
                     const std::string& addresses = "10.9.0.1, 10.9.0.2") {
  std::string text = "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
                     ", namespace: shop}\nspec: {clusterIP: None, ports: [" + port + "], selector: {app: db}}\n" +
                     "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + name +
                     "-1, namespace: shop, labels: {kubernetes.io/service-name: " + name +
                     "}}\naddressType: IPv4\nports: [{name: http, port: 9200}]\nendpoints: [{addresses: [" + addresses +
                     "]}]\n";
  return text;
}
std::string named_by(const std::string& kind, const std::string& spec, const std::string& name_space = "shop") {
  return "---\napiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: db, namespace: " + name_space +
         "}\nspec: " + spec + "\n";
}
std::string route(const std::string& host = kDb, const std::string& more = "") {
  return named_by("VirtualService", "{hosts: [" + host + "], http: [{timeout: 1s, route: [{destination: {host: " + kDb +
                                        "}}]}]" + more + "}");
}
std::string rule(const std::string& host = kDb, const std::string& more = "") {
  return named_by(
      "DestinationRule",
      "{host: " + host + ", trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 1}}}" + more + "}");
}

std::vector<std::string> redirected(const std::string& text) {
  std::vector<std::string> addresses;
  for (const base::SocketAddress& address : compile_text(text + kClient).destinations) {
    addresses.push_back(address.to_string());
  }
  return addresses;
}

TEST(Headless, PassesWhenNoPolicyNamesIt) {
  EXPECT_THAT(redirected(headless("db")), IsEmpty());
  EXPECT_THAT(redirected(headless("db") + route("db.elsewhere.svc.cluster.local")), IsEmpty());
}

TEST(Headless, IsRedirectedAtTheAddressesOfItsEndpointsWhenAPolicyNamesIt) {
  for (const std::string& policy : {route(), rule()}) {
    EXPECT_THAT(redirected(headless("db") + policy), ElementsAre("10.9.0.1:9200", "10.9.0.2:9200")) << policy;
  }
}

// As its clients see it: nothing maps a port of a headless service to another.
TEST(Headless, IsRedirectedAtItsOwnPortsThatAreHttp) {
  EXPECT_THAT(redirected(headless("db", "{name: http, port: 80}, {name: tcp-raw, port: 81}", "10.9.0.1") + route()),
              ElementsAre("10.9.0.1:80"));
  EXPECT_THAT(redirected(headless("db", "{name: tcp-raw, port: 81}") + route()), IsEmpty());
}

TEST(Headless, IsNamedByItsOwnHostOnly) {
  EXPECT_THAT(redirected(headless("db") + rule("\"*.shop.svc.cluster.local\"")), IsEmpty());
  EXPECT_THAT(redirected(headless("db") + route("\"*.local\"")), IsEmpty());
}

TEST(Headless, IsNamedByPoliciesThatSomeWorkloadSees) {
  EXPECT_THAT(redirected(headless("db") + rule(kDb, ", exportTo: [\".\"]")), IsEmpty());
  EXPECT_THAT(redirected(headless("db") + route(kDb, ", exportTo: [\".\"]")), IsEmpty());
  EXPECT_THAT(redirected(headless("db") + route(kDb, ", gateways: [edge]")), IsEmpty());
  EXPECT_THAT(redirected(headless("db") + rule(kDb, ", exportTo: [default]")), SizeIs(2));
  EXPECT_THAT(redirected(headless("db") + rule(kDb, ", workloadSelector: {matchLabels: {app: client}}")), IsEmpty())
      << "a rule with a selector counts in its own namespace";
}

TEST(Headless, HasItsPolicyAndItsNamesButNotThoseOfItsPods) {
  const NodeConfig config = compile_text(headless("db") + route() + rule() + kClient).config;
  ASSERT_THAT(config.services, SizeIs(1));
  EXPECT_TRUE(config.services[0].is_headless);
  EXPECT_THAT(config.services[0].vips, SizeIs(2));
  const Backend* const backend = find_backend(config, std::string("outbound|9200||") + kDb);
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(backend->policy.connection_pool.max_pending_requests, 1U);
  const RouteTable& table = config.route_tables.at(0);
  ASSERT_NE(test::find_virtual_host(table, 9200, kDb), nullptr);
  EXPECT_EQ(test::find_virtual_host(table, 9200, kDb)->routes.at(0).timeout, Milliseconds(1000));
  EXPECT_NE(test::find_virtual_host(table, 9200, std::string("*.") + kDb), nullptr);
  EXPECT_EQ(test::find_virtual_host(table, 9200, "10.9.0.1"), nullptr);
}

// Nobody can ask for it first: its address is not known before its endpoints are.
TEST(Headless, IsInUseAsSoonAsAPolicyNamesIt) {
  Documents documents = load(headless("db") + headless("other") + route() + kClient);
  documents.services_in_use.emplace();
  const CompileResult result = compile(documents, 1);
  EXPECT_THAT(result.hosts, ElementsAre(kDb));
  EXPECT_THAT(result.destinations, SizeIs(2));
}

TEST(Headless, APodInTwoSlicesIsOneAddress) {
  const std::string text = headless("db") + route() + R"(
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-2, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: metrics, port: 9300}]
endpoints: [{addresses: [10.9.0.1]}]
)";
  EXPECT_THAT(redirected(text), ElementsAre("10.9.0.1:9200", "10.9.0.2:9200"));
}

}  // namespace
}  // namespace config
