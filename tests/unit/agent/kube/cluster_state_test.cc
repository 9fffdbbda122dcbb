#include "agent/kube/cluster_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Namespace a_namespace(const std::string& name, Labels labels = {}) {
  Namespace made;
  made.metadata.name = name;
  made.metadata.labels = std::move(labels);
  return made;
}

Pod a_pod(const std::string& name, Labels labels = {{"app", "web"}}) {
  Pod made;
  made.metadata.name = name;
  made.metadata.name_space = "shop";
  made.metadata.uid = "uid-" + name;
  made.metadata.labels = std::move(labels);
  made.metadata.owners = {{.kind = "StatefulSet", .name = "web", .is_controller = true}};
  made.phase = Pod::Phase::running;
  return made;
}

Service a_service(const std::string& name, const char* address) {
  Service made;
  made.metadata.name = name;
  made.metadata.name_space = "shop";
  made.cluster_ips = {*base::IpAddress::parse(address)};
  return made;
}

class ClusterStateTest : public ::testing::Test {
 protected:
  ClusterStateTest() { state_.upsert(a_namespace("shop", {{"fairlead.dev/mode", "enabled"}})); }
  ClusterState state_{{.node = "n1", .cluster_domain = "cluster.local"}};
};

TEST_F(ClusterStateTest, PodsOfOneWorkloadShareADocument) {
  state_.upsert(a_pod("web-0", {{"app", "web"}, {"apps.kubernetes.io/pod-index", "0"}}));
  state_.upsert(a_pod("web-1", {{"app", "web"}, {"apps.kubernetes.io/pod-index", "1"}}));
  const ClusterView view = state_.view();
  ASSERT_THAT(view.pods, SizeIs(2));
  ASSERT_THAT(view.documents.workloads, SizeIs(1));
  EXPECT_EQ(view.documents.workloads[0].metadata.name, "web");
  EXPECT_EQ(view.pods[0].document, view.pods[1].document);
}

TEST_F(ClusterStateTest, PodsThatPoliciesCanTellApartDoNot) {
  state_.upsert(a_pod("web-0", {{"app", "web"}, {"version", "v1"}}));
  state_.upsert(a_pod("web-1", {{"app", "web"}, {"version", "v2"}}));
  const ClusterView view = state_.view();
  ASSERT_THAT(view.documents.workloads, SizeIs(2));
  EXPECT_NE(view.pods[0].document, view.pods[1].document);
}

TEST_F(ClusterStateTest, PodsThatHaveEndedAreNotThere) {
  Pod ended = a_pod("web-0");
  ended.phase = Pod::Phase::succeeded;
  state_.upsert(ended);
  EXPECT_THAT(state_.view().pods, IsEmpty());
}

TEST_F(ClusterStateTest, OptingInFollowsTheNamespaceBothWays) {
  state_.upsert(a_pod("web-0"));
  EXPECT_TRUE(state_.view().pods[0].opt_in.is_captured());
  state_.upsert(a_namespace("shop"));
  EXPECT_FALSE(state_.view().pods[0].opt_in.is_captured());
  EXPECT_THAT(state_.view().documents.workloads, IsEmpty());
  state_.upsert(a_namespace("shop", {{"fairlead.dev/mode", "enabled"}}));
  EXPECT_TRUE(state_.view().pods[0].opt_in.is_captured());
}

TEST_F(ClusterStateTest, FindsServicesByAddressAndHost) {
  state_.upsert(a_service("web", "10.0.0.1"));
  const ClusterView view = state_.view();
  ASSERT_THAT(view.hosts, SizeIs(1));
  EXPECT_EQ(view.hosts.begin()->second, "web.shop.svc.cluster.local");
  EXPECT_EQ(state_.service_of("web.shop.svc.cluster.local"), (ClusterState::Name{"shop", "web"}));
  EXPECT_EQ(state_.service_of("db.shop.svc.cluster.local"), ClusterState::Name());
  EXPECT_EQ(state_.service_of("example.com"), ClusterState::Name());
}

TEST_F(ClusterStateTest, AServiceHasEndpointsWhenSlicesAndPodsHaveBeenRead) {
  state_.upsert(a_service("web", "10.0.0.1"));
  const ClusterState::Name name{"shop", "web"};
  auto& endpoints = state_.endpoints(name);
  EndpointSlice slice;
  slice.metadata.name = "web-1";
  slice.service = "web";
  endpoints.slices.emplace("web-1", slice);
  endpoints.has_slices = true;
  EXPECT_THAT(state_.view().hosts_with_endpoints, IsEmpty()) << "subsets would be empty";
  endpoints.has_pods = true;
  EXPECT_THAT(state_.view().hosts_with_endpoints, ElementsAre("web.shop.svc.cluster.local"));
  EXPECT_THAT(state_.view().documents.endpoint_slices, SizeIs(1));
  state_.forget_endpoints(name);
  EXPECT_THAT(state_.view().documents.endpoint_slices, IsEmpty());
}

TEST_F(ClusterStateTest, AnExternalNameIsNotAService) {
  Service external = a_service("web", "10.0.0.1");
  external.kind = Service::Kind::external_name;
  state_.upsert(external);
  EXPECT_THAT(state_.view().documents.services, IsEmpty());
  EXPECT_THAT(state_.view().hosts, IsEmpty());
}

}  // namespace
}  // namespace agent::kube
