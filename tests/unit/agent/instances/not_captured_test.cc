#include "agent/instances/not_captured.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const base::TimePoint t0 = base::TimePoint() + 1h;
constexpr auto kPatience = NotCaptured::kPatience;

Instance pod(const char* uid, InstanceState state, const char* reason = "") {
  Instance made;
  made.uid = uid;
  made.pod.name = "web-0";
  made.pod.name_space = "shop";
  made.state = state;
  made.reason = reason;
  return made;
}
Instance mistaken(const char* reason = "write ports") {
  Instance made = pod("a", InstanceState::skipped, reason);
  made.is_unwanted = true;
  return made;
}

class NotCapturedTest : public ::testing::Test {
 protected:
  std::vector<kube::Event> find(const std::vector<Instance>& instances, base::TimePoint now) {
    return pods_.find(instances, now, base::WallTime(5s));
  }
  NotCaptured pods_{"n1"};
};

TEST_F(NotCapturedTest, IsSaidAtThePodWithItsReason) {
  EXPECT_THAT(find({mistaken()}, t0), IsEmpty());
  const auto events = find({mistaken()}, t0 + kPatience);
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].api_version, "v1");
  EXPECT_EQ(events[0].kind, "Pod");
  EXPECT_EQ(events[0].name_space, "shop");
  EXPECT_EQ(events[0].name, "web-0");
  EXPECT_EQ(events[0].uid, "a");
  EXPECT_EQ(events[0].reason, "NotCaptured");
  EXPECT_EQ(events[0].message, "Fairlead does not capture its connections: write ports");
  EXPECT_EQ(events[0].node, "n1");
  EXPECT_EQ(events[0].time, base::WallTime(5s));
  EXPECT_TRUE(events[0].is_warning);
}

TEST_F(NotCapturedTest, IsSaidOnceForEachReason) {
  find({mistaken()}, t0);
  EXPECT_THAT(find({mistaken()}, t0 + 1h), SizeIs(1));
  EXPECT_THAT(find({mistaken()}, t0 + 2h), IsEmpty());
  EXPECT_THAT(find({mistaken("write networks")}, t0 + 3h), IsEmpty()) << "that may pass";
  EXPECT_THAT(find({mistaken("write networks")}, t0 + 4h), SizeIs(1));
}

TEST_F(NotCapturedTest, IsNotSaidOfTroubleThatPasses) {
  const Instance broken = pod("a", InstanceState::error, "no such cgroup");
  find({broken}, t0);
  EXPECT_THAT(find({pod("a", InstanceState::redirected)}, t0 + 1s), IsEmpty());
  EXPECT_THAT(find({broken}, t0 + kPatience), IsEmpty()) << "anew";
  EXPECT_THAT(find({}, t0 + 1h), IsEmpty()) << "it is gone";
  EXPECT_THAT(find({broken}, t0 + 2h), IsEmpty());
  EXPECT_THAT(find({broken}, t0 + 2h + kPatience), SizeIs(1));
}

TEST_F(NotCapturedTest, IsNotSaidOfWhatSomebodyHasChosen) {
  const std::vector<Instance> chosen = {pod("a", InstanceState::skipped, "its namespace has no label"),
                                        pod("b", InstanceState::pending, "its cgroup is not there yet"),
                                        pod("c", InstanceState::redirected)};
  find(chosen, t0);
  EXPECT_THAT(find(chosen, t0 + 1h), IsEmpty());
}

TEST_F(NotCapturedTest, IsNotSaidOfWorkloadsOfAHost) {
  const Instance service = pod("", InstanceState::error, "no such cgroup");
  find({service}, t0);
  EXPECT_THAT(find({service}, t0 + 1h), IsEmpty());
}

}  // namespace
}  // namespace agent
