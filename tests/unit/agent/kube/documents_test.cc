#include "agent/kube/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "config/object_store.h"

namespace agent::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

base::IpAddress ip(const char* text) { return *base::IpAddress::parse(text); }

Endpoint endpoint(const char* address) {
  Endpoint made;
  made.addresses = {ip(address)};
  made.pod = std::string("pod-") + address;
  return made;
}
Endpoint ending(const char* address) {
  Endpoint made = endpoint(address);
  made.is_ready = false;
  made.is_terminating = true;
  return made;
}
Endpoint in_zone(const char* address, const char* zone) {
  Endpoint made = endpoint(address);
  made.for_zones = {zone};
  return made;
}
Endpoint on_node(const char* address, const char* node) {
  Endpoint made = endpoint(address);
  made.node = node;
  return made;
}

Service service() {
  Service made;
  made.metadata.name = "web";
  made.metadata.name_space = "shop";
  made.cluster_ips = {ip("10.0.0.1")};
  return made;
}

// The addresses that clients of node n1 in zone z1 use.
std::vector<std::string> used(std::vector<std::vector<Endpoint>> slices, const Service& of = service()) {
  Slices all;
  for (auto& endpoints : slices) {
    EndpointSlice slice;
    slice.metadata.name = "web-" + std::to_string(all.size());
    slice.endpoints = std::move(endpoints);
    all.emplace(slice.metadata.name, std::move(slice));
  }
  std::vector<std::string> addresses;
  for (const auto& slice : to_documents(all, of, {.node = "n1", .zone = "z1"}, [](const auto&) { return nullptr; })) {
    for (const auto& each : slice.endpoints) addresses.push_back(each.address.to_string());
  }
  return addresses;
}

TEST(Documents, EndpointsThatAreReadyAreUsed) {
  Endpoint starting = endpoint("10.1.0.2");
  starting.is_ready = starting.is_serving = false;
  EXPECT_THAT(used({{endpoint("10.1.0.1"), starting}, {ending("10.1.0.3")}}), ElementsAre("10.1.0.1"));
}

TEST(Documents, EndpointsThatAreEndingAreBetterThanNone) {
  Endpoint gone = ending("10.1.0.2");
  gone.is_serving = false;
  EXPECT_THAT(used({{ending("10.1.0.1")}, {gone}}), ElementsAre("10.1.0.1"));
}

TEST(Documents, EndpointsThatAreNotReadyAreUsedWhereTheServiceSaysSo) {
  Service all = service();
  all.publishes_not_ready = true;
  Endpoint starting = endpoint("10.1.0.2");
  starting.is_ready = false;
  EXPECT_THAT(used({{endpoint("10.1.0.1"), starting}}, all), SizeIs(2));
}

TEST(Documents, HintsChooseThisZoneIfAllHaveThemAndOneIsHere) {
  EXPECT_THAT(used({{in_zone("10.1.0.1", "z1")}, {in_zone("10.1.0.2", "z2")}}), ElementsAre("10.1.0.1"));
  EXPECT_THAT(used({{in_zone("10.1.0.1", "z1")}, {endpoint("10.1.0.2")}}), SizeIs(2));
  EXPECT_THAT(used({{in_zone("10.1.0.1", "z3")}, {in_zone("10.1.0.2", "z2")}}), SizeIs(2));
  const auto on_node = [](const char* address, const char* node) {
    Endpoint made = in_zone(address, "z1");
    made.for_nodes = {node};
    return made;
  };
  EXPECT_THAT(used({{on_node("10.1.0.1", "n1")}, {on_node("10.1.0.2", "n2")}}), ElementsAre("10.1.0.1"));
  EXPECT_THAT(used({{on_node("10.1.0.1", "n3")}, {on_node("10.1.0.2", "n2")}}), SizeIs(2)) << "the zone decides";
}

TEST(Documents, AServiceMayBeTheNodesOwn) {
  Service local = service();
  local.is_node_local = true;
  EXPECT_THAT(used({{on_node("10.1.0.1", "n1"), on_node("10.1.0.2", "n2")}}, local), ElementsAre("10.1.0.1"));
}

TEST(Documents, OfTwoFamiliesTheServicesFirstIsUsed) {
  EXPECT_THAT(used({{endpoint("10.1.0.1")}, {endpoint("fd00::1")}}), ElementsAre("10.1.0.1"));
  Service v6 = service();
  v6.cluster_ips = {ip("fd00::a"), ip("10.0.0.1")};
  EXPECT_THAT(used({{endpoint("10.1.0.1")}, {endpoint("fd00::1")}}, v6), ElementsAre("fd00::1"));
}

TEST(Documents, AnEndpointHasItsPodsLabelsAndWorkload) {
  ObjectMeta pod;
  pod.labels = {{"app", "web"}, {"pod-template-hash", "1"}};
  pod.owners = {{.kind = "ReplicaSet", .name = "web-v1-1", .is_controller = true}};
  EndpointSlice slice;
  slice.metadata.name = "web-1";
  slice.service = "web";
  slice.ports = {{.name = "http", .protocol = "TCP", .number = 8080}, {.name = "dns", .protocol = "UDP", .number = 53}};
  slice.endpoints = {endpoint("10.1.0.1")};
  const auto documents = to_documents({{"web-1", slice}}, service(), {}, [&](const std::string& name) {
    EXPECT_EQ(name, "pod-10.1.0.1");
    return &pod;
  });
  ASSERT_THAT(documents, SizeIs(1));
  EXPECT_EQ(documents[0].service, "web");
  EXPECT_THAT(documents[0].ports, ElementsAre(std::pair("http", 8080)));
  EXPECT_EQ(documents[0].endpoints[0].workload, "web-v1");
  EXPECT_EQ(documents[0].endpoints[0].labels.at("app"), "web");
}

TEST(Documents, PortsOfAServiceAreOfTheProtocolTheirNamesSay) {
  Service from = service();
  from.ports = {{.name = "http-api", .protocol = "TCP", .number = 80},
                {.name = "db", .protocol = "TCP", .number = 5432, .app_protocol = "tcp"},
                {.name = "dns", .protocol = "UDP", .number = 53}};
  const config::KubernetesService document = to_document(from);
  ASSERT_THAT(document.ports, SizeIs(2));
  EXPECT_EQ(document.ports[0].protocol, config::Protocol::http);
  EXPECT_EQ(document.ports[1].protocol, config::Protocol::tcp);
}

TEST(Documents, AHeadlessServiceHasNoAddress) {
  Service from = service();
  from.kind = Service::Kind::headless;
  EXPECT_TRUE(to_document(from).is_headless);
  EXPECT_THAT(to_document(from).cluster_ips, IsEmpty());
}

// What its names stand for: DNS knows no hints, and gives addresses of both families.
TEST(Documents, AHeadlessServiceHasTheEndpointsThatItsNamesStandFor) {
  Service from = service();
  from.kind = Service::Kind::headless;
  from.cluster_ips = {};
  from.is_node_local = true;
  EXPECT_THAT(used({{in_zone("10.1.0.1", "z1"), in_zone("10.1.0.2", "z2")}, {endpoint("fd00::1")}}, from),
              UnorderedElementsAre("10.1.0.1", "10.1.0.2", "fd00::1"));
}

TEST(Documents, PoliciesAreReadAsStrictlyAsFiles) {
  config::ObjectStore store(kSource, "cluster.local");
  const auto upsert = [&](const char* spec) {
    const std::string text =
        std::string(R"({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7",)") +
        R"("managedFields": [{"manager": "kubectl"}], "annotations": {"a": "b"}}, "spec": )" + spec +
        R"(, "status": {"conditions": []}})";
    return store.upsert(to_value(boost::json::parse(text).as_object(), "networking.istio.io/v1", "VirtualService"));
  };
  EXPECT_TRUE(upsert(R"({"hosts": ["web"], "http": [{"timeout": "1s", "retries": {"attempts": 2},
                         "route": [{"destination": {"host": "web"}, "weight": 100}]}]})"));
  EXPECT_FALSE(
      upsert(R"({"hosts": ["web"], "http": [{"timeout": "1", "route": [{"destination": {"host": "web"}}]}]})"));
  ASSERT_THAT(store.findings(), SizeIs(1));
  EXPECT_THAT(store.findings()[0].to_string(), HasSubstr("kubernetes: VirtualService shop/web: spec.http[0].timeout"));
}

}  // namespace
}  // namespace agent::kube
