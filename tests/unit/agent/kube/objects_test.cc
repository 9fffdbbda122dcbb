#include "agent/kube/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

namespace agent::kube {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

// As an API server of version 1.37 answered, without managedFields.
json::object recorded(const std::string& name) {
  std::ifstream file(std::string(OBJECTS_DIR) + "/" + name + ".json");
  return json::parse(std::string(std::istreambuf_iterator<char>(file), {})).as_object();
}

json::object object(std::string_view text) { return json::parse(text).as_object(); }

base::IpAddress ip(std::string_view text) { return *base::IpAddress::parse(text); }

template <typename T>
T value(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

template <typename T>
std::string refused(const base::Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

TEST(NamespaceTest, HasLabelsAndTheAnnotationsThatAreRead) {
  const auto shop = value(read_namespace(recorded("namespace")));
  EXPECT_EQ(shop.metadata.name, "shop");
  EXPECT_EQ(shop.metadata.name_space, "");
  EXPECT_THAT(shop.metadata.labels, UnorderedElementsAre(Pair("fairlead.dev/mode", "enabled"), Pair("team", "red"),
                                                         Pair("kubernetes.io/metadata.name", "shop")));
  EXPECT_THAT(shop.metadata.annotations, ElementsAre(Pair("fairlead.dev/note", "yes")))
      << "neither the owner's own nor the last applied configuration";
}

TEST(MetadataTest, KeepsAnnotationsByTheDomainOfTheirKey) {
  const auto metadata = value(read_metadata(object(R"({"metadata":{"name":"a","annotations":{
    "istio.io/a":"", "sidecar.istio.io/b":"", "fairlead.dev/c":"", "service.kubernetes.io/d":"",
    "notistio.io/e":"", "istio.io.example/f":"", "istio":"", "g":""}}})")));
  EXPECT_THAT(metadata.annotations,
              UnorderedElementsAre(Pair("istio.io/a", ""), Pair("sidecar.istio.io/b", ""), Pair("fairlead.dev/c", ""),
                                   Pair("service.kubernetes.io/d", "")));
}

TEST(PodTest, IsReadAsTheApiServerSendsIt) {
  const Pod pod = value(read_pod(recorded("pod")));
  EXPECT_EQ(pod.metadata.name, "web-99594746b-4w4s7");
  EXPECT_EQ(pod.metadata.name_space, "shop");
  EXPECT_EQ(pod.metadata.uid, "2248974b-343e-4976-92ac-e3209b261124");
  EXPECT_EQ(pod.metadata.creation_timestamp, "2026-11-24T02:43:42Z");
  EXPECT_FALSE(pod.metadata.is_being_deleted);
  ASSERT_EQ(pod.metadata.owners.size(), 1U);
  EXPECT_EQ(pod.metadata.owners[0].kind, "ReplicaSet");
  EXPECT_EQ(pod.metadata.owners[0].name, "web-99594746b");
  EXPECT_TRUE(pod.metadata.owners[0].is_controller);
  EXPECT_EQ(pod.node, "fairlead-node");
  EXPECT_EQ(pod.service_account, "default");
  EXPECT_FALSE(pod.uses_host_network);
  EXPECT_EQ(pod.phase, Pod::Phase::running);
  EXPECT_FALSE(pod.is_over());
  EXPECT_TRUE(pod.is_ready);
  EXPECT_EQ(pod.qos_class, "Burstable");
  EXPECT_THAT(pod.addresses, ElementsAre(ip("10.244.0.3"), ip("fd00:244::3")));
}

TEST(PodTest, TellsItsContainersApart) {
  const Pod pod = value(read_pod(recorded("pod")));
  ASSERT_EQ(pod.containers.size(), 3U);
  EXPECT_EQ(pod.containers[0].name, "once");
  EXPECT_EQ(pod.containers[0].kind, Container::Kind::init);
  EXPECT_FALSE(pod.containers[0].is_running) << "it has ended";
  EXPECT_EQ(pod.containers[1].name, "beside");
  EXPECT_EQ(pod.containers[1].kind, Container::Kind::sidecar);
  EXPECT_TRUE(pod.containers[1].is_running);
  EXPECT_EQ(pod.containers[2].name, "web");
  EXPECT_EQ(pod.containers[2].kind, Container::Kind::main);
  EXPECT_THAT(pod.containers[2].id, StartsWith("containerd://c25b04c4f80c"));
  ASSERT_EQ(pod.containers[2].ports.size(), 2U);
  EXPECT_EQ(pod.containers[2].ports[0].name, "http");
  EXPECT_EQ(pod.containers[2].ports[0].number, 8080);
  EXPECT_EQ(pod.containers[2].ports[1].protocol, "UDP");
}

TEST(PodTest, OfAJobOnTheHostsNetworkIsOverWhenItHasFailed) {
  const Pod pod = value(read_pod(recorded("pod_of_job")));
  EXPECT_TRUE(pod.uses_host_network);
  EXPECT_EQ(pod.phase, Pod::Phase::failed);
  EXPECT_TRUE(pod.is_over());
  EXPECT_EQ(pod.metadata.owners.at(0).kind, "Job");
}

TEST(PodTest, MayBeAsBareAsOneThatWasJustMade) {
  const Pod pod = value(read_pod(object(R"({"metadata":{"name":"a","namespace":"b","labels":null},"spec":{},
    "status":{"containerStatuses":[{"name":"not in the spec","containerID":"x"}],"podIPs":null}})")));
  EXPECT_EQ(pod.phase, Pod::Phase::unknown);
  EXPECT_THAT(pod.containers, IsEmpty());
  EXPECT_THAT(pod.addresses, IsEmpty());
}

TEST(PodTest, KnowsEphemeralContainersAndOtherRuntimes) {
  const Pod pod = value(read_pod(object(R"({"metadata":{"name":"a","deletionTimestamp":"2026-11-24T02:43:42Z"},
    "spec":{"runtimeClassName":"gvisor","ephemeralContainers":[{"name":"debug"}]}})")));
  EXPECT_TRUE(pod.metadata.is_being_deleted);
  EXPECT_EQ(pod.runtime_class, "gvisor");
  ASSERT_EQ(pod.containers.size(), 1U);
  EXPECT_EQ(pod.containers[0].kind, Container::Kind::ephemeral);
}

TEST(ServiceTest, IsReadAsTheApiServerSendsIt) {
  const Service service = value(read_service(recorded("service")));
  EXPECT_EQ(service.kind, Service::Kind::virtual_ip);
  EXPECT_THAT(service.cluster_ips, ElementsAre(ip("10.96.3.172"), ip("fd00:96::4a76")));
  ASSERT_EQ(service.ports.size(), 2U);
  EXPECT_EQ(service.ports[0].name, "http");
  EXPECT_EQ(service.ports[0].number, 80);
  EXPECT_EQ(service.ports[0].target_name, "http");
  EXPECT_EQ(service.ports[0].target_number, 0);
  EXPECT_EQ(service.ports[0].app_protocol, "http");
  EXPECT_EQ(service.ports[1].protocol, "UDP");
  EXPECT_EQ(service.ports[1].target_number, 53);
  EXPECT_THAT(service.selector, ElementsAre(Pair("app", "web")));
  EXPECT_TRUE(service.publishes_not_ready);
  EXPECT_TRUE(service.is_node_local);
  EXPECT_THAT(service.metadata.annotations, ElementsAre(Pair("networking.istio.io/exportTo", ".")));
}

TEST(ServiceTest, MayHaveNoAddress) {
  const Service headless = value(read_service(recorded("headless")));
  EXPECT_EQ(headless.kind, Service::Kind::headless);
  EXPECT_THAT(headless.cluster_ips, IsEmpty());
  EXPECT_FALSE(headless.is_node_local);
  const Service elsewhere = value(read_service(recorded("external_name")));
  EXPECT_EQ(elsewhere.kind, Service::Kind::external_name);
  EXPECT_EQ(elsewhere.external_name, "api.example.test");
}

TEST(EndpointSliceTest, IsReadAsTheApiServerSendsIt) {
  const EndpointSlice slice = value(read_endpoint_slice(recorded("endpoint_slice_ipv4")));
  EXPECT_EQ(slice.service, "web");
  EXPECT_FALSE(slice.is_fqdn);
  ASSERT_EQ(slice.ports.size(), 2U);
  EXPECT_EQ(slice.ports[1].name, "http");
  EXPECT_EQ(slice.ports[1].number, 8080);
  EXPECT_EQ(slice.ports[1].app_protocol, "http");
  ASSERT_EQ(slice.endpoints.size(), 2U);
  const Endpoint& endpoint = slice.endpoints[1];
  EXPECT_THAT(endpoint.addresses, ElementsAre(ip("10.244.0.3")));
  EXPECT_TRUE(endpoint.is_ready);
  EXPECT_TRUE(endpoint.is_serving);
  EXPECT_FALSE(endpoint.is_terminating);
  EXPECT_EQ(endpoint.pod_namespace, "shop");
  EXPECT_EQ(endpoint.pod, "web-99594746b-4w4s7");
  EXPECT_EQ(endpoint.node, "fairlead-node");
  EXPECT_THAT(value(read_endpoint_slice(recorded("endpoint_slice_ipv6"))).endpoints.at(1).addresses,
              ElementsAre(ip("fd00:244::3")));
}

TEST(EndpointSliceTest, TakesAConditionThatIsNotSaidAsTheApiDoes) {
  struct Case {
    const char* conditions;
    bool is_ready, is_serving, is_terminating;
  };
  for (const Case& each : {Case{"{}", true, true, false}, Case{R"({"ready":false})", false, false, false},
                           Case{R"({"ready":null})", true, true, false},
                           Case{R"({"ready":false,"serving":true,"terminating":true})", false, true, true}}) {
    const auto slice = value(
        read_endpoint_slice(object(R"({"metadata":{"name":"a"},"endpoints":[{"addresses":["10.0.0.1"],"conditions":)" +
                                   std::string(each.conditions) + "}]}")));
    EXPECT_EQ(slice.endpoints.at(0).is_ready, each.is_ready) << each.conditions;
    EXPECT_EQ(slice.endpoints.at(0).is_serving, each.is_serving) << each.conditions;
    EXPECT_EQ(slice.endpoints.at(0).is_terminating, each.is_terminating) << each.conditions;
  }
}

TEST(EndpointSliceTest, HasHintsAndMayNameHosts) {
  const auto slice = value(read_endpoint_slice(object(R"({"metadata":{"name":"a"},"endpoints":[
    {"addresses":["10.0.0.1"],"zone":"z1","hints":{"forZones":[{"name":"z1"},{"name":"z2"}],"forNodes":[{"name":"n"}]}}]})")));
  EXPECT_EQ(slice.endpoints.at(0).zone, "z1");
  EXPECT_THAT(slice.endpoints.at(0).for_zones, ElementsAre("z1", "z2"));
  EXPECT_THAT(slice.endpoints.at(0).for_nodes, ElementsAre("n"));
  const auto names = value(read_endpoint_slice(
      object(R"({"metadata":{"name":"a"},"addressType":"FQDN","endpoints":[{"addresses":["api.example.test"]}]})")));
  EXPECT_TRUE(names.is_fqdn);
  EXPECT_THAT(names.endpoints, IsEmpty());
}

TEST(ObjectsTest, AWrongTypeIsAnErrorThatNamesObjectAndField) {
  const std::string head = R"({"metadata":{"name":"a","namespace":"shop"},)";
  const std::pair<std::string, std::string> pods[] = {
      {R"("spec":7})", "Pod shop/a: spec is not an object"},
      {R"("spec":{"nodeName":7}})", "Pod shop/a: spec.nodeName is not text"},
      {R"("spec":{"hostNetwork":"yes"}})", "Pod shop/a: spec.hostNetwork is neither true nor false"},
      {R"("spec":{"containers":{}}})", "Pod shop/a: spec.containers is not a list"},
      {R"("spec":{"containers":[{},{"name":[]}]}})", "Pod shop/a: spec.containers[1].name is not text"},
      {R"("spec":{"containers":[7]}})", "Pod shop/a: spec.containers[0] is not an object"},
      {R"("spec":{"containers":[{"ports":[{"containerPort":65536}]}]}})",
       "Pod shop/a: spec.containers[0].ports[0].containerPort is not a whole number from 0 to 65535"},
      {R"("status":{"podIPs":[{"ip":"10.0.0.256"}]}})",
       "Pod shop/a: status.podIPs[0].ip \"10.0.0.256\" is not an IP address"},
  };
  for (const auto& [rest, message] : pods) EXPECT_EQ(refused(read_pod(object(head + rest))), message);
  EXPECT_EQ(refused(read_service(object(head + R"("spec":{"ports":[{"port":80,"targetPort":1.5}]}})"))),
            "Service shop/a: spec.ports[0].targetPort is not a whole number from 0 to 65535");
  EXPECT_EQ(refused(read_endpoint_slice(object(head + R"("endpoints":[{"conditions":{"ready":1}}]})"))),
            "EndpointSlice shop/a: endpoints[0].conditions.ready is neither true nor false");
  EXPECT_EQ(refused(read_namespace(object(R"({"metadata":{"name":"a","labels":{"k":1}}})"))),
            "Namespace a: metadata.labels.k is not text");
  EXPECT_EQ(refused(read_namespace(object(R"({"metadata":{"name":"a","labels":[]}})"))),
            "Namespace a: metadata.labels is not an object");
  EXPECT_EQ(refused(read_namespace(object("{}"))), "Namespace : metadata.name is missing");
}

TEST(ObjectsTest, WhatIsTooLargeIsAnError) {
  json::array endpoints(20'001, json::object{});
  EXPECT_THAT(refused(read_endpoint_slice({{"metadata", {{"name", "a"}}}, {"endpoints", std::move(endpoints)}})),
              HasSubstr("endpoints has 20001 items, more than 20000"));
  EXPECT_THAT(refused(read_pod({{"metadata", {{"name", "a"}}}, {"spec", {{"nodeName", std::string(65'537, 'x')}}}})),
              HasSubstr("spec.nodeName has 65537 bytes, more than 65536"));
  const json::object ignored{{"metadata", {{"name", "a"}, {"annotations", {{"large", std::string(200'000, 'x')}}}}}};
  EXPECT_EQ(refused(read_pod(ignored)), "accepted") << "an annotation that is not read";
}

TEST(ObjectsTest, AnErrorIsOneLineWhateverTheObjectIsCalled) {
  EXPECT_EQ(refused(read_pod(object(R"({"metadata":{"name":"a\nb"},"spec":7})"))), "Pod a b: spec is not an object");
}

TEST(EventTest, IsWrittenForTheObjectThatItIsAbout) {
  const Event event{.api_version = "networking.istio.io/v1",
                    .kind = "VirtualService",
                    .name_space = "shop",
                    .name = "greeter",
                    .uid = "1-2-3",
                    .is_warning = true,
                    .reason = "Rejected",
                    .action = "ReadPolicy",
                    .message = "spec.http[0].timeout: \"5\" has no unit",
                    .node = "node-1",
                    .time = base::WallTime() + std::chrono::seconds(1'000'000'000) + std::chrono::microseconds(42)};
  EXPECT_EQ(events_path(event), "/apis/events.k8s.io/v1/namespaces/shop/events");
  const json::value written = json::parse(to_json(event));
  EXPECT_EQ(written.at("eventTime").as_string(), "2001-09-09T01:46:40.000042Z");
  EXPECT_EQ(written.at("type").as_string(), "Warning");
  EXPECT_EQ(written.at("regarding").at("name").as_string(), "greeter");
  EXPECT_EQ(written.at("metadata").at("namespace").as_string(), "shop");
  EXPECT_EQ(written.at("reportingInstance").as_string(), "fairlead-node-1");
}

TEST(EventTest, IsNeverLongerThanTheApiAllows) {
  std::string long_text;
  for (int i = 0; i < 2000; ++i) long_text += "é";
  const json::value written =
      json::parse(to_json({.kind = "Node", .name = long_text, .reason = long_text, .message = "x" + long_text}));
  EXPECT_EQ(written.at("note").as_string().size(), 1023U) << "cut between two characters";
  EXPECT_LE(written.at("reason").as_string().size(), 128U);
  EXPECT_EQ(written.at("metadata").at("namespace").as_string(), "default") << "a Node has none";
}

}  // namespace
}  // namespace agent::kube
