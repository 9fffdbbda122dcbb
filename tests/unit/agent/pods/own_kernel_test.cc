#include "agent/pods/own_kernel.h"

#include <gtest/gtest.h>

#include <set>

namespace agent {
namespace {

const std::string kPod = "/kubepods.slice/kubepods-pod1cb5e5ea_2f5c_4b9e_8a8c_2a4d9f8e7b61.slice";
const std::string kApp = "aaaa1111", kSidecar = "bbbb2222", kSandbox = "cccc3333";

bool judge(const std::vector<std::string>& running, const std::vector<std::string>& cgroups,
           const std::set<std::string>& populated) {
  return has_own_kernel(running, cgroups, [&](const std::string& cgroup) { return populated.contains(cgroup); });
}

TEST(OwnKernel, IsNotThatOfAnOrdinaryPod) {
  for (const char* form : {"/cri-containerd-%.scope", "/crio-%.scope", "/%", "/crio-%.scope/container"}) {
    const auto cgroup = [&](const std::string& id) {
      std::string text = kPod + form;
      return text.replace(text.find('%'), 1, id);
    };
    const std::vector<std::string> cgroups{cgroup(kSandbox), cgroup(kApp)};
    EXPECT_FALSE(judge({kApp}, cgroups, {cgroup(kSandbox), cgroup(kApp)})) << form;
  }
}

// Kata makes a cgroup for its virtual machine only, named after the sandbox.
TEST(OwnKernel, IsThatOfAPodWhoseContainersHaveNoCgroup) {
  const std::string machine = kPod + "/cri-containerd-" + kSandbox + ".scope";
  EXPECT_TRUE(judge({kApp}, std::vector{machine}, {machine}));
  EXPECT_TRUE(judge({kApp, kSidecar}, {}, {}));
}

// gVisor makes their cgroups, but all processes of the node are its sentry's, in the sandbox's.
TEST(OwnKernel, IsThatOfAPodWhoseContainersHaveNoProcess) {
  const std::string sandbox = kPod + "/" + kSandbox, app = kPod + "/" + kApp;
  EXPECT_TRUE(judge({kApp}, std::vector{sandbox, app}, {sandbox}));
}

TEST(OwnKernel, IsNotSaidBeforeAContainerRuns) { EXPECT_FALSE(judge({}, std::vector{kPod + "/" + kSandbox}, {})); }

TEST(OwnKernel, IsNotThatOfAPodOneOfWhoseContainersHasJustEnded) {
  const std::string app = kPod + "/" + kApp, sidecar = kPod + "/" + kSidecar;
  EXPECT_FALSE(judge({kApp, kSidecar}, std::vector{app, sidecar}, {sidecar}));
}

}  // namespace
}  // namespace agent
