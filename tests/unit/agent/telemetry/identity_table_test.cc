#include "agent/telemetry/identity_table.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace agent::telemetry {
namespace {

config::WorkloadIdentity identity(std::string workload, std::string version = "v1") {
  return {.workload = std::move(workload), .workload_namespace = "default", .version = std::move(version)};
}

config::Workload workload(config::WorkloadIdentity who) {
  config::Workload result;
  result.identity = std::move(who);
  return result;
}

config::NodeConfig config_with(const std::vector<std::string>& workloads) {
  config::NodeConfig config;
  for (const std::string& name : workloads) config.workloads.push_back(workload(identity(name)));
  return config;
}

TEST(IdentityTable, GivesTheSameIdToTheSameStringsAlsoInTheNextAgent) {
  config::NodeConfig first = config_with({"a", "b"});
  config::NodeConfig second = config_with({"b", "c", "a"});
  IdentityTable one;
  IdentityTable other;
  one.assign(first);
  other.assign(second);
  EXPECT_EQ(first.workloads[0].identity.id, second.workloads[2].identity.id);
  EXPECT_EQ(first.workloads[1].identity.id, second.workloads[0].identity.id);
  EXPECT_EQ(one.workload(first.workloads[0].identity.id)->workload, "a");
  EXPECT_EQ(one.workload(12345), nullptr);
}

TEST(IdentityTable, GivesAnotherIdWhenAnyLabelDiffers) {
  config::NodeConfig config;
  config.workloads.push_back(workload(identity("a", "v1")));
  config.workloads.push_back(workload(identity("a", "v2")));
  config.workloads.push_back(workload({.workload = "av1", .workload_namespace = "default", .version = ""}));
  IdentityTable names;
  names.assign(config);
  std::set<std::uint32_t> ids;
  for (const auto& workload : config.workloads) ids.insert(workload.identity.id);
  EXPECT_EQ(ids.size(), 3U);
}

TEST(IdentityTable, KeepsTheUnknownIdentityAtZero) {
  config::NodeConfig config;
  config.workloads.push_back({});
  IdentityTable names;
  names.assign(config);
  EXPECT_EQ(config.workloads[0].identity.id, 0U);
}

TEST(IdentityTable, NamesServicesAndEndpoints) {
  config::NodeConfig config;
  config.services.push_back({});
  config.services[0].host = "greeter.default.svc.cluster.local";
  config.backends.push_back({});
  const auto address = *base::SocketAddress::parse("10.0.0.1:3000");
  config.backends[0].endpoints.push_back({.address = address, .identity = identity("greeter")});
  IdentityTable names;
  names.assign(config);
  EXPECT_EQ(names.service(config.services[0].id)->host, "greeter.default.svc.cluster.local");
  EXPECT_EQ(names.workload(config.backends[0].endpoints[0].identity.id)->workload, "greeter");
  EXPECT_EQ(names.endpoint(address).pod, "10.0.0.1:3000");
  EXPECT_EQ(names.endpoint(address).name_space, "default");
  names.set_endpoint_pod(address, "default", "greeter-7d4f-x2x");
  names.assign(config);
  EXPECT_EQ(names.endpoint(address).pod, "greeter-7d4f-x2x");
  EXPECT_EQ(names.endpoint(*base::SocketAddress::parse("10.9.9.9:1")).pod, "10.9.9.9:1");
}

TEST(IdentityTable, KnowsWhoHasLeftOnlyAfterItWasToldWhoIsHere) {
  config::NodeConfig config = config_with({"a", "b"});
  config::Pod pod{.cgroup_id = 7, .name = "a-1", .name_space = "default"};
  IdentityTable names;
  names.assign(config);
  names.assign(pod);
  const std::uint32_t b = config.workloads[1].identity.id;
  EXPECT_FALSE(names.is_workload_gone(b));
  config.workloads.pop_back();
  names.set_present(config, {});
  EXPECT_TRUE(names.is_workload_gone(b));
  EXPECT_FALSE(names.is_workload_gone(config.workloads[0].identity.id));
  EXPECT_TRUE(names.is_pod_gone(pod.id));
  EXPECT_FALSE(names.is_pod_gone(0));
  EXPECT_EQ(names.pod(pod.id)->name, "a-1");  // its rows still need a name
}

TEST(IdentityTable, SeesAPodThatComesBackAsAnother) {
  IdentityTable names;
  config::Pod first{.cgroup_id = 7, .name = "db-0", .name_space = "default"};
  config::Pod second{.cgroup_id = 8, .name = "db-0", .name_space = "default"};
  names.assign(first);
  names.assign(second);
  EXPECT_NE(first.id, second.id);
}

}  // namespace
}  // namespace agent::telemetry
