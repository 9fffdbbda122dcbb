#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/views/cluster_status.h"
#include "cli/views/describe_service.h"
#include "cli/views/lists.h"
#include "cli/views/policies.h"

namespace cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const Terminal kPlain(false);
constexpr const char* kHost = "greeter.shop.svc.cluster.local";

NodeReport report(const std::string& node) {
  NodeReport report;
  report.node = node;
  report.agent = "fairlead-" + node;
  admin::NodeView& view = report.view;
  view.version = "0.1.0";
  view.kernel = "6.1.0";
  view.is_proxy_up = true;
  view.proxy_version = "0.1.0";
  view.generation = view.proxy_generation = 4;
  view.watches = {{"pods", true, "", 1500ms}, {"services", true, "", 61s}};
  view.pods = {{"shop", "client-1", "client", "10.0.0.1", "redirected", ""},
               {"kube-system", "dns-1", "dns", "10.0.0.2", "skipped", "no label"},
               {"kube-system", "dns-2", "dns", "10.0.0.3", "skipped", "no label"}};
  view.policies = {{"VirtualService", "shop", "greeter", "kubernetes", "active", true, {}}};
  view.services = {{kHost, "greeter", "shop", {"10.96.0.9"}, {{3000, "http", "http"}}}};
  view.workloads = {{"shop", "client", {}, 0}};
  admin::RouteView route;
  route.destinations = {{0, 1}};
  route.timeout = 300ms;
  route.retries = 2;
  route.retry_on = {"5xx"};
  route.from = "VirtualService shop/greeter http[0]";
  view.route_tables = {{{{3000, std::string(kHost) + ":3000", {route}}}}};
  admin::BackendPolicyView backend;
  backend.host = kHost;
  backend.subset = "v1";
  backend.port = 3000;
  backend.load_balancer = "LEAST_REQUEST";
  backend.limits = {{"pending", 1}};
  backend.outlier = {.consecutive_5xx = 3, .base_ejection_time = 600s, .max_ejection_percent = 10};
  backend.endpoints = {"10.0.0.4:8080", "10.0.0.5:8080"};
  backend.from = "DestinationRule shop/greeter subsets[0]";
  view.backends = {backend};
  report.backends = {{"outbound|3000|v1|" + std::string(kHost),
                      "client.shop/client-1",
                      {{.address = "10.0.0.5:8080", .is_ejected = true}}}};
  return report;
}

TEST(ClusterStatus, ShowsNodesAndOneLineForPodsLeftOutForTheSameReason) {
  EXPECT_EQ(cluster_status_text({report("n1")}, kPlain),
            "NODE  AGENT  KERNEL  PROXY     CAPTURED  SKIPPED  PENDING  ERROR  CONFIG AGE\n"
            "n1    0.1.0  6.1.0   0.1.0 up  1         2        0        0      1m1s\n"
            "\n"
            "NOT CAPTURED          NODE  STATE    REASON\n"
            "kube-system (2 pods)  n1    skipped  no label\n"
            "\n"
            "1 policy, 1 active\n");
  EXPECT_TRUE(is_healthy({report("n1")}));
}

TEST(ClusterStatus, ShowsTheVersionOfAProxyThatIsOlderThanItsAgentOrDoesNotSay) {
  NodeReport updating = report("n1");
  updating.view.version = "0.2.0";
  updating.view.proxy_restarts = 3;
  EXPECT_THAT(cluster_status_text({updating}, kPlain), HasSubstr("n1    0.2.0  6.1.0   0.1.0 up, restarts 3  1 "));
  updating.view.proxy_generation = 3;
  EXPECT_THAT(cluster_status_text({updating}, kPlain), HasSubstr("n1    0.2.0  6.1.0   0.1.0 behind  1 "));
  updating.view.proxy_version.clear();
  EXPECT_THAT(cluster_status_text({updating}, kPlain), HasSubstr("n1    0.2.0  6.1.0   behind  1 "));
}

TEST(ClusterStatus, IsBadWhenANodeHasNoAgentAWatchFailsOrAPodIsInError) {
  NodeReport without;
  without.node = "n2";
  without.error = "has no agent";
  EXPECT_FALSE(is_healthy({report("n1"), without}));
  EXPECT_THAT(cluster_status_text({without}, kPlain), HasSubstr("error n2: has no agent\n"));
  NodeReport failing = report("n1");
  failing.view.watches[0].error = "no route to host";
  EXPECT_FALSE(is_healthy({failing}));
  EXPECT_THAT(cluster_status_text({failing}, kPlain), HasSubstr("error n1: pods: no route to host\n"));
  NodeReport stuck = report("n1");
  stuck.view.pods[0].state = "error";
  EXPECT_FALSE(is_healthy({stuck}));
}

TEST(Policies, ShowTheWorstStateOfAnyNodeAndWhatStaysInForce) {
  Fleet fleet{report("n1"), report("n2")};
  fleet[1].view.policies[0].state = "rejected";
  fleet[1].view.policies[0].findings = {{"error", "", "", 0, 0, "spec.http[0].timeout", "no unit"}};
  EXPECT_EQ(policies_text(fleet, {}, kPlain),
            "POLICY                       STATE     IN FORCE            FINDINGS\n"
            "VirtualService shop/greeter  rejected  an earlier version  1\n"
            "\n"
            "error VirtualService shop/greeter: spec.http[0].timeout: no unit\n");
  EXPECT_EQ(policies_text(fleet, {.name_space = "other"}, kPlain), "No policies.\n");
}

TEST(Lists, OfAClusterNameTheNode) {
  const Fleet fleet{report("n1"), report("n2")};
  EXPECT_EQ(workloads_text(fleet, {.name_space = "shop"}, kPlain),
            "WORKLOAD     POD       NODE  STATE       REASON\n"
            "shop/client  client-1  n1    redirected\n"
            "shop/client  client-1  n2    redirected\n");
  EXPECT_EQ(services_text(fleet, {}, kPlain),
            "NAMESPACE  SERVICE                         PORTS      ADDRESSES  CALLED ON\n"
            "shop       greeter.shop.svc.cluster.local  3000/http  10.96.0.9  n1,n2\n");
  EXPECT_THAT(endpoints_text(fleet, {.name_space = "shop"}, base::WallTime(), kPlain),
              HasSubstr("n2    client.shop/client-1"));
  EXPECT_EQ(endpoints_text(fleet, {.name_space = "other"}, base::WallTime(), kPlain),
            "No endpoints in use in the namespace other.\n"
            "They are listed from a workload's first request to them on.\n");
}

TEST(DescribeService, SaysWhatIsEnforcedForWhomAndFromWhichDocument) {
  EXPECT_EQ(describe_service({report("n1")}, kHost, kPlain),
            "greeter.shop.svc.cluster.local\n"
            "  addresses  10.96.0.9\n"
            "  ports      3000 http (http)\n"
            "  called on  n1\n"
            "\n"
            "For shop/client\n"
            "  port 3000\n"
            "    1. every request\n"
            "       timeout 300ms; 2 retries on 5xx\n"
            "       to subset v1\n"
            "       from VirtualService shop/greeter http[0]\n"
            "  subset v1\n"
            "       10.0.0.4:8080, 10.0.0.5:8080 (ejected)\n"
            "       limits: pending 1; balanced by LEAST_REQUEST\n"
            "       ejected after 3 x 5xx in a row, for 10m and longer each time; at most 10 % at a time\n"
            "       from DestinationRule shop/greeter subsets[0]\n");
}

TEST(DescribeService, PutsCallersThatAreOfferedTheSameTogether) {
  Fleet fleet{report("n1"), report("n2")};
  fleet[1].view.workloads = {{"shop", "web", {}, 0}, {"other", "batch", {}, 1}};
  fleet[1].view.route_tables.emplace_back();
  const std::string text = describe_service(fleet, kHost, kPlain);
  EXPECT_THAT(text, HasSubstr("For shop/client, shop/web\n  port 3000\n"));
  EXPECT_THAT(text, HasSubstr("For other/batch\n  nothing: it is not exported to them"));
}

TEST(DescribeService, WordsConditionsWeightsAndFaults) {
  Fleet fleet{report("n1")};
  admin::RouteView& route = fleet[0].view.route_tables[0].virtual_hosts[0].routes[0];
  route.conditions = {{"uri", "prefix", "/a", true, false}, {"header x", "present", "", false, true}};
  route.destinations = {{0, 1}, {std::nullopt, 3}};
  route.timeout.reset();
  route.retries = 0;
  route.abort = {1000, 503};
  route.delay = {500'000, 1500};
  route.from.clear();
  const std::string text = describe_service(fleet, kHost, kPlain);
  EXPECT_THAT(text, HasSubstr("1. uri starts with /a (in any case) and not (header x is there)\n"));
  EXPECT_THAT(text, HasSubstr("no timeout; no retries; 50 % delayed by 1500ms; 0.1 % answered with 503\n"));
  EXPECT_THAT(text, HasSubstr("to subset v1 25 %, nowhere (503): no such host or subset 75 %\n"));
  EXPECT_THAT(text, HasSubstr("from no document: what Istio does by default\n"));
}

TEST(DescribeService, FindsByNameNamespaceOrHost) {
  const Fleet fleet{report("n1")};
  for (const char* const name : {"greeter", "greeter.shop", kHost}) {
    EXPECT_THAT(find_services(fleet, name, "shop"), testing::ElementsAre(kHost)) << name;
  }
  EXPECT_THAT(find_services(fleet, "greeter", "other"), testing::IsEmpty());
  EXPECT_THAT(find_services(fleet, "greet", ""), testing::IsEmpty());
}

TEST(Views, NeverLetANameDriveTheTerminal) {
  Fleet fleet{report("n\033[2J")};
  fleet[0].view.pods[1].reason = "a\033b";
  fleet[0].view.route_tables[0].virtual_hosts[0].routes[0].from = "\033";
  EXPECT_THAT(
      cluster_status_text(fleet, kPlain) + describe_service(fleet, kHost, kPlain) + workloads_text(fleet, {}, kPlain),
      Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace cli
