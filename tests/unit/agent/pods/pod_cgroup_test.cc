#include "agent/pods/pod_cgroup.h"

#include <gtest/gtest.h>

namespace agent {
namespace {

constexpr const char* kUid = "1cb5e5ea-2f5c-4b9e-8a8c-2a4d9f8e7b61";

TEST(PodCgroup, IsFoundForEveryDriverAndClass) {
  const std::string slice = "1cb5e5ea_2f5c_4b9e_8a8c_2a4d9f8e7b61.slice";
  const struct {
    std::string folder, below;
  } cases[] = {
      {std::string("/kubepods/besteffort/pod") + kUid, ""},
      {std::string("/kubepods/burstable/pod") + kUid, "/0123456789abcdef"},
      {std::string("/kubepods/pod") + kUid, "/crio-0123456789abcdef"},
      {"/kubepods.slice/kubepods-pod" + slice, "/cri-containerd-0123456789abcdef.scope"},
      {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + slice, "/crio-0123.scope/container"},
      {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slice, "/crio-conmon-0123.scope"},
      {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + slice, ""},
      {std::string("/docker/0123/kubelet/kubepods/burstable/pod") + kUid, "/0123"},
  };
  for (const auto& each : cases) {
    const auto found = pod_cgroup(each.folder + each.below);
    ASSERT_TRUE(found.has_value()) << each.folder;
    EXPECT_EQ(found->uid, kUid);
    EXPECT_EQ(found->path, each.folder);
  }
}

TEST(PodCgroup, OfAStaticPodHasTheHashOfItsFile) {
  const auto found = pod_cgroup("/kubepods/burstable/pod0123456789abcdef0123456789abcdef/x");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->uid, "0123456789abcdef0123456789abcdef");
}

TEST(PodCgroup, IsNothingElse) {
  for (const char* cgroup :
       {"", "/", "/kubepods", "/kubepods/burstable", "/system.slice/podman.service", "/podcast",
        "/kubepods.slice/kubepods-burstable.slice", "/pod1cb5e5ea", "/kubepods/pod1cb5e5ea-2f5c-4b9e-8a8c-2a4d9f8e7b6g",
        "/kubepods/pod1cb5e5ea_2f5c_4b9e_8a8c_2a4d9f8e7b61"}) {
    EXPECT_FALSE(pod_cgroup(cgroup).has_value()) << cgroup;
  }
}

}  // namespace
}  // namespace agent
