#include "cli/views/host_status.h"

#include <chrono>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/views/duration_text.h"
#include "cli/views/lists.h"

namespace cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const Terminal kPlain(false);

admin::NodeView healthy_node() {
  admin::NodeView node;
  node.generation = node.proxy_generation = 3;
  node.is_proxy_up = true;
  node.workloads = {{"default", "helloweb", {{"exec-7", "/x", "redirected", ""}}}, {"default", "load", {}}};
  node.policies = {{"VirtualService", "default", "greeter-service", "p.yaml", "active", true, {}}};
  return node;
}

TEST(Status, ShowsProxyWorkloadsAndPolicies) {
  EXPECT_EQ(status_text(healthy_node(), kPlain),
            "proxy  up, generation 3 (the newest)\n"
            "\n"
            "WORKLOAD          INSTANCE  STATE\n"
            "default/helloweb  exec-7    redirected\n"
            "default/load      -         not running\n"
            "\n"
            "POLICY                                  STATE   FILE\n"
            "VirtualService default/greeter-service  active  p.yaml\n");
  EXPECT_TRUE(is_healthy(healthy_node()));
}

TEST(Status, IsBadWhenSomethingIsNotAsItsOperatorWantsIt) {
  const std::vector<void (*)(admin::NodeView&)> spoils{
      [](admin::NodeView& node) { node.is_proxy_up = false; },
      [](admin::NodeView& node) { node.proxy_generation = 2; },
      [](admin::NodeView& node) { node.policies[0].state = "rejected"; },
      [](admin::NodeView& node) { node.workloads[0].instances[0].state = "error"; },
  };
  for (const auto spoil : spoils) {
    auto node = healthy_node();
    spoil(node);
    EXPECT_FALSE(is_healthy(node));
  }
  auto node = healthy_node();
  node.policies[0].state = "partial";
  EXPECT_TRUE(is_healthy(node));
}

TEST(Status, SaysWhatIsRejectedWhereAndWhatStaysInForce) {
  auto node = healthy_node();
  node.policies[0].state = "rejected";
  node.policies[0].findings = {{"error", "FL0100", "p.yaml", 12, 18, "spec.http[0].timeout", "\"5\" has no unit"}};
  const auto text = status_text(node, kPlain);
  EXPECT_THAT(text, HasSubstr("rejected  p.yaml  (the last good version stays in force)\n"));
  EXPECT_THAT(text, HasSubstr("error p.yaml:12:18: spec.http[0].timeout: \"5\" has no unit [FL0100]\n"));
}

TEST(Status, SaysWhatIsWrongWithADocumentThatHasNoName) {
  auto node = healthy_node();
  node.policies[0] = {.kind = "unknown", .file = "p.yaml", .state = "rejected", .is_in_force = false};
  node.policies[0].findings = {{"error", "FL0100", "p.yaml", 22, 4, "", "this is not indented"}};
  const auto text = status_text(node, kPlain);
  EXPECT_THAT(text, HasSubstr("document without a name  rejected  p.yaml\n"));
  EXPECT_THAT(text, HasSubstr("error p.yaml:22:4: this is not indented [FL0100]\n"));
}

TEST(Status, TellsThatAProxyIsBehindOrDown) {
  auto node = healthy_node();
  node.generation = 4;
  EXPECT_THAT(status_text(node, kPlain), HasSubstr("generation 3 (the newest is 4)"));
  node.is_proxy_up = false;
  EXPECT_THAT(status_text(node, kPlain), HasSubstr("down; connections pass untouched"));
}

TEST(Status, NeverLetsADocumentDriveTheTerminal) {
  auto node = healthy_node();
  node.policies[0].name = "a\033[2Jb";
  EXPECT_THAT(status_text(node, kPlain), Not(HasSubstr("\033")));
}

Fleet host_with(std::vector<admin::BackendView> backends) {
  Fleet fleet(1);
  fleet[0].backends = std::move(backends);
  return fleet;
}

TEST(GetEndpoints, ShowsUntilWhenAndByWhichRuleAnEndpointIsEjected) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  admin::EndpointView good{.address = "127.0.0.1:3001", .active_requests = 2};
  admin::EndpointView bad{.address = "127.0.0.1:3002", .is_ejected = true, .ejection_rule = "consecutive_gateway"};
  bad.returns_in = 590s;
  const std::vector<admin::BackendView> backends{
      {"outbound|3000|v1|greeter-service.default.svc.cluster.local", "default/helloweb", {good, bad}},
      {"outbound|80||other.default.svc.cluster.local", "default/helloweb", {good}}};
  EXPECT_EQ(
      endpoints_text(host_with(backends), {.name = "greeter"}, base::WallTime(10h), kPlain),
      "FROM              SERVICE                                         SUBSET  ENDPOINT        ACTIVE  STATE"
      "                           RULE\n"
      "default/helloweb  greeter-service.default.svc.cluster.local:3000  v1      127.0.0.1:3001  2       healthy\n"
      "default/helloweb  greeter-service.default.svc.cluster.local:3000  v1      127.0.0.1:3002  0       ejected "
      "until 10:09:50 (9m50s)  consecutive_gateway\n");
}

TEST(GetEndpoints, SaysSoWhenThereAreNone) {
  EXPECT_EQ(endpoints_text(host_with({}), {}, base::WallTime(), kPlain),
            "No endpoints in use.\nThey are listed from a workload's first request to them on.\n");
  EXPECT_THAT(endpoints_text(host_with({}), {.name = "nobody"}, base::WallTime(), kPlain),
              HasSubstr("No endpoints in use of nobody"));
}

TEST(ShortDuration, RoundsUpToWholeSeconds) {
  const std::vector<std::pair<std::chrono::milliseconds, std::string>> cases{
      {0ms, "0s"}, {1ms, "1s"}, {1001ms, "2s"}, {60s, "1m"}, {90s, "1m30s"}, {1h, "1h"}, {3661s, "1h1m1s"}};
  for (const auto& [duration, text] : cases) EXPECT_EQ(short_duration(duration), text);
}

}  // namespace
}  // namespace cli
