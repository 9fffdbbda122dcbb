#include "agent/pods/pod_instances.h"

#include <gtest/gtest.h>

namespace agent {
namespace {

constexpr const char* kUid = "1cb5e5ea-2f5c-4b9e-8a8c-2a4d9f8e7b61";
const std::string kFolder = std::string("/kubepods/besteffort/pod") + kUid;

LocalPod pod() {
  LocalPod made;
  made.uid = kUid;
  made.name = "web-0";
  made.name_space = "shop";
  made.ip = "10.244.0.3";
  made.workload = "web";
  made.document = 3;
  return made;
}

Instance find(const LocalPod& pod, const std::vector<std::string>& cgroups) {
  return find_pod_instances(std::vector{pod}, cgroups).at(0);
}

TEST(PodInstances, AreWhereTheirCgroupIs) {
  const Instance instance = find(pod(), {"/kubepods", "/kubepods/besteffort", kFolder, kFolder + "/0123"});
  EXPECT_EQ(instance.cgroup, kFolder);
  EXPECT_EQ(instance.state, InstanceState::pending);
  EXPECT_EQ(instance.reason, "");
  EXPECT_EQ(instance.pod.name, "web-0");
  EXPECT_EQ(instance.pod.workload, 3U);
  EXPECT_TRUE(instance.pod.has_own_network);
  EXPECT_EQ(instance.ip, "10.244.0.3");
  EXPECT_FALSE(instance.is_found()) << "neither cgroup id nor network are known yet";
}

TEST(PodInstances, WaitForTheirCgroup) {
  const Instance instance = find(pod(), {"/kubepods"});
  EXPECT_EQ(instance.state, InstanceState::pending);
  EXPECT_EQ(instance.reason, "its cgroup is not there yet");
}

TEST(PodInstances, SayWhyTheyAreSkipped) {
  LocalPod skipped = pod();
  skipped.opt_in.reason = "it uses the node's network (hostNetwork)";
  const Instance instance = find(skipped, {kFolder});
  EXPECT_EQ(instance.state, InstanceState::skipped);
  EXPECT_EQ(instance.reason, skipped.opt_in.reason);
}

TEST(PodInstances, OfAStaticPodAreFoundByItsHash) {
  LocalPod mirror = pod();
  mirror.static_hash = "0123456789abcdef0123456789abcdef";
  EXPECT_EQ(find(mirror, {kFolder, "/kubepods/pod0123456789abcdef0123456789abcdef"}).cgroup,
            "/kubepods/pod0123456789abcdef0123456789abcdef");
}

}  // namespace
}  // namespace agent
