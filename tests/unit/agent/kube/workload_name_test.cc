#include "agent/kube/workload_name.h"

#include <gtest/gtest.h>

namespace agent::kube {
namespace {

ObjectMeta pod_of(const std::string& kind, const std::string& owner, Labels labels = {}) {
  ObjectMeta pod;
  pod.name = "the-pod";
  pod.labels = std::move(labels);
  if (!kind.empty()) pod.owners.push_back({.kind = kind, .name = owner, .is_controller = true});
  return pod;
}

TEST(WorkloadName, IsThatOfTheControllerPeopleKnow) {
  const Labels hash = {{"pod-template-hash", "7d4f9"}};
  const struct {
    ObjectMeta pod;
    const char* name;
  } cases[] = {
      {pod_of("ReplicaSet", "web-7d4f9", hash), "web"},
      {pod_of("ReplicaSet", "my-web-7d4f9", hash), "my-web"},
      {pod_of("ReplicaSet", "web-other", hash), "web-other"},
      {pod_of("ReplicaSet", "web-7d4f9"), "web-7d4f9"},
      {pod_of("StatefulSet", "db"), "db"},
      {pod_of("DaemonSet", "logs"), "logs"},
      {pod_of("Job", "import"), "import"},
      {pod_of("Job", "nightly-29371234"), "nightly"},
      {pod_of("Job", "nightly-123"), "nightly-123"},
      {pod_of("Rollout", "canary"), "canary"},
      {pod_of("Node", "node-1"), "the-pod"},
      {pod_of("", ""), "the-pod"},
  };
  for (const auto& each : cases) EXPECT_EQ(workload_name(each.pod), each.name);
}

TEST(WorkloadName, IgnoresOwnersThatDoNotControl) {
  ObjectMeta pod = pod_of("", "");
  pod.owners.push_back({.kind = "ConfigMap", .name = "config", .is_controller = false});
  EXPECT_EQ(workload_name(pod), "the-pod");
}

TEST(WorkloadName, LabelsAreThoseThatAllPodsOfAWorkloadShare) {
  EXPECT_EQ(workload_labels({{"app", "db"},
                             {"version", "v1"},
                             {"pod-template-hash", "1"},
                             {"controller-revision-hash", "2"},
                             {"statefulset.kubernetes.io/pod-name", "db-0"},
                             {"apps.kubernetes.io/pod-index", "0"}}),
            (Labels{{"app", "db"}, {"version", "v1"}}));
}

}  // namespace
}  // namespace agent::kube
