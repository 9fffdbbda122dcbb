#include "agent/pods/opt_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const config::Labels kEnabled = {{"fairlead.dev/mode", "enabled"}};
const config::Labels kDisabled = {{"fairlead.dev/mode", "disabled"}};

std::string reason(const PodFacts& pod) { return decide_opt_in(pod).reason; }

PodFacts captured() { return {.namespace_labels = kEnabled}; }

TEST(OptIn, IsForTheNamespaceToSayAndForThePodToOverride) {
  EXPECT_EQ(reason({.namespace_labels = kEnabled}), "");
  EXPECT_EQ(reason({.namespace_labels = kEnabled, .labels = kEnabled}), "");
  EXPECT_EQ(reason({.namespace_labels = kDisabled, .labels = kEnabled}), "");
  EXPECT_EQ(reason({.labels = kEnabled}), "");
  EXPECT_EQ(reason({}), "its namespace has no label fairlead.dev/mode: enabled");
  EXPECT_EQ(reason({.namespace_labels = kDisabled}), "its namespace's label fairlead.dev/mode is disabled");
  EXPECT_EQ(reason({.namespace_labels = kEnabled, .labels = kDisabled}),
            "the pod's label fairlead.dev/mode is disabled");
}

TEST(OptIn, RefusesAModeThatIsNeither) {
  EXPECT_EQ(reason({.namespace_labels = kEnabled, .labels = {{"fairlead.dev/mode", "on"}}}),
            "the pod's label fairlead.dev/mode is \"on\"; write enabled or disabled");
}

TEST(OptIn, LeavesPodsOfOthersAlone) {
  PodFacts pod = captured();
  pod.has_host_network = true;
  EXPECT_THAT(reason(pod), HasSubstr("hostNetwork"));

  pod = captured();
  pod.containers = {"app", "istio-proxy"};
  EXPECT_EQ(reason(pod), "it has a sidecar, istio-proxy");

  pod = captured();
  pod.annotations = {{"ambient.istio.io/redirection", "enabled"}};
  EXPECT_THAT(reason(pod), HasSubstr("ambient"));

  pod = captured();
  pod.labels = {{"istio.io/dataplane-mode", "none"}};
  EXPECT_THAT(reason(pod), HasSubstr("istio.io/dataplane-mode"));
}

TEST(OptIn, TakesThePodsWordAboutOtherMeshesBeforeItsNamespaces) {
  PodFacts pod = captured();
  pod.namespace_labels.emplace("istio.io/dataplane-mode", "none");
  EXPECT_FALSE(decide_opt_in(pod).is_captured());
  pod.labels = {{"istio.io/dataplane-mode", "sidecar"}};
  EXPECT_TRUE(decide_opt_in(pod).is_captured());
}

// Whoever made a mistake is told; the others know what they wrote.
TEST(OptIn, TellsMistakesFromWhatSomebodyHasChosen) {
  PodFacts pod = captured();
  EXPECT_FALSE(decide_opt_in(pod).is_mistake);
  EXPECT_FALSE(decide_opt_in({}).is_mistake);
  pod.labels = kDisabled;
  EXPECT_FALSE(decide_opt_in(pod).is_mistake);
  pod.labels = {{"fairlead.dev/mode", "on"}};
  EXPECT_TRUE(decide_opt_in(pod).is_mistake);
  pod = captured();
  pod.annotations = {{"fairlead.dev/exclude-ports", "http"}};
  EXPECT_TRUE(decide_opt_in(pod).is_mistake);
  pod.annotations = {{"fairlead.dev/exclude-cidrs", "10.0.0.0/40"}};
  EXPECT_TRUE(decide_opt_in(pod).is_mistake);
  pod.has_host_network = true;
  EXPECT_FALSE(decide_opt_in(pod).is_mistake) << "it would not be captured with better ones";
}

TEST(OptIn, ReadsWhatIsExcluded) {
  PodFacts pod = captured();
  pod.annotations = {{"fairlead.dev/exclude-ports", "3306, 9000-9100"},
                     {"fairlead.dev/exclude-cidrs", "10.1.2.3/8,fd00::/16,192.0.2.1"}};
  const OptIn decision = decide_opt_in(pod);
  ASSERT_TRUE(decision.is_captured()) << decision.reason;
  EXPECT_THAT(decision.excluded.ports, ElementsAre(PortRange{3306, 3306}, PortRange{9000, 9100}));
  EXPECT_THAT(decision.excluded.cidrs,
              ElementsAre(Cidr{*base::IpAddress::parse("10.0.0.0"), 104}, Cidr{*base::IpAddress::parse("fd00::"), 16},
                          Cidr{*base::IpAddress::parse("192.0.2.1"), 128}));
}

TEST(OptIn, DoesNotCaptureWhenItCannotReadWhatIsExcluded) {
  for (const char* ports : {"x", "0", "65536", "9100-9000", "1-", "-1", "1;2"}) {
    PodFacts pod = captured();
    pod.annotations = {{"fairlead.dev/exclude-ports", ports}};
    EXPECT_THAT(reason(pod), HasSubstr("fairlead.dev/exclude-ports")) << ports;
  }
  for (const char* cidrs : {"10.0.0.0/33", "fd00::/129", "10.0.0/8", "all", "10.0.0.0/"}) {
    PodFacts pod = captured();
    pod.annotations = {{"fairlead.dev/exclude-cidrs", cidrs}};
    EXPECT_THAT(reason(pod), HasSubstr("fairlead.dev/exclude-cidrs")) << cidrs;
  }
  PodFacts pod = captured();
  pod.annotations = {{"fairlead.dev/exclude-ports", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}};
  EXPECT_THAT(reason(pod), HasSubstr("more than 16"));
}

}  // namespace
}  // namespace agent
