#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

// Only what some workload calls is compiled, as if there were nothing else; of the rest, where it can be reached.
namespace config {
namespace {

using test::find_backend;
using test::find_virtual_host;
using test::kClient;
using test::load;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::string service(const std::string& name, const std::string& vip) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  clusterIP: " + vip +
         "\n  ports: [{name: http, port: 80}]\n  selector: {app: " + name + "}\n" +
         "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + name +
         "-1, labels: {kubernetes.io/service-name: " + name + "}}\naddressType: IPv4\n" +
         "ports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.9.0.1]}]\n";
}

std::string services() {
  return kClient + service("a", "10.0.0.1") + service("b", "10.0.0.2") + service("c", "10.0.0.3");
}
const std::string kRouteFromAToB = R"(
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a]
  http:
  - route: [{destination: {host: b}}]
)";
constexpr const char* kA = "a.default.svc.cluster.local";
constexpr const char* kB = "b.default.svc.cluster.local";

CompileResult compile_using(const std::string& text, std::set<std::string, std::less<>> hosts) {
  Documents documents = load(text);
  documents.services_in_use = std::move(hosts);
  return compile(documents, 1);
}

TEST(ServicesInUse, AreAllWhenNobodySaysOtherwise) {
  const CompileResult all = compile(load(services()), 1);
  EXPECT_THAT(all.config.services, SizeIs(3));
  EXPECT_FALSE(all.config.has_services_on_demand);
}

TEST(ServicesInUse, AreTheOnlyOnesThatAreCompiled) {
  const CompileResult result = compile_using(services(), {kB});
  ASSERT_THAT(result.config.services, SizeIs(1));
  EXPECT_EQ(result.config.services[0].name, "b");
  EXPECT_TRUE(result.config.has_services_on_demand);
  ASSERT_THAT(result.config.backends, SizeIs(1));
  EXPECT_EQ(result.config.backends[0].service, 0U) << "its place among those that are compiled";
  EXPECT_THAT(result.hosts, ElementsAre(kB));
  EXPECT_THAT(compile_using(services(), {}).config.services, IsEmpty());
}

TEST(ServicesInUse, LeaveTheAddressesOfAllToBeRedirected) {
  std::vector<std::string> addresses;
  for (const base::SocketAddress& address : compile_using(services(), {}).destinations) {
    addresses.push_back(address.to_string());
  }
  EXPECT_THAT(addresses, UnorderedElementsAre("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"));
}

TEST(ServicesInUse, BringThoseThatTheirRoutesLeadTo) {
  const CompileResult result = compile_using(services() + kRouteFromAToB, {kA});
  EXPECT_THAT(result.hosts, ElementsAre(kA, kB));
  const Backend* backend = find_backend(result.config, "outbound|80||b.default.svc.cluster.local");
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(result.config.services[backend->service].name, "b");
  EXPECT_THAT(backend->endpoints, SizeIs(1));
}

// The proxy asks for a service whose address it does not know.
TEST(ServicesInUse, HaveAddressesOnlyIfTheyAreCalledThemselves) {
  const CompileResult result = compile_using(services() + kRouteFromAToB, {kA});
  ASSERT_THAT(result.config.services, SizeIs(2));
  EXPECT_THAT(result.config.services[0].vips, SizeIs(1));
  EXPECT_THAT(result.config.services[1].vips, IsEmpty());
  EXPECT_THAT(compile_using(services() + kRouteFromAToB, {kA, kB}).config.services[1].vips, SizeIs(1));
}

// Else all policies of a cluster would be, as soon as any service on the same port is called.
TEST(ServicesInUse, DoNotBringWhatThePoliciesOfOthersLeadTo) {
  const CompileResult result = compile_using(services() + kRouteFromAToB, {"c.default.svc.cluster.local"});
  EXPECT_THAT(result.hosts, ElementsAre("c.default.svc.cluster.local"));
  EXPECT_THAT(result.config.backends, SizeIs(1));
}

TEST(ServicesInUse, ThatAreNotAreNoReasonForAWarning) {
  EXPECT_THAT(compile_using(services() + kRouteFromAToB, {}).findings, IsEmpty());
}

// On port 80 a host that no service has gets a virtual host of its own; one of a service that nobody calls does not.
TEST(ServicesInUse, AVirtualServiceOfOneThatIsNotSaysNothing) {
  const CompileResult result = compile_using(services() + kRouteFromAToB, {"c.default.svc.cluster.local"});
  ASSERT_THAT(result.config.route_tables, SizeIs(1));
  EXPECT_EQ(find_virtual_host(result.config.route_tables[0], 80, kA), nullptr);
}

}  // namespace
}  // namespace config
