#include "agent/admin/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace agent::admin {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

base::SocketAddress address(const char* text) { return *base::SocketAddress::parse(text); }

constexpr const char* kBackend = "outbound|80||greeter.shop.svc.cluster.local";

// One service with two endpoints, of which the second is ejected for one of two callers.
Snapshot snapshot() {
  auto config = std::make_shared<config::NodeConfig>();
  config->generation = 7;
  config->services = {{.id = 1,
                       .host = "greeter.shop.svc.cluster.local",
                       .name = "greeter",
                       .name_space = "shop",
                       .vips = {address("127.8.0.1:1").ip},
                       .ports = {{.number = 80, .name = "http"}}}};
  config->backends.push_back({.name = kBackend, .service = 0, .port = 80, .subset = "", .endpoints = {}, .policy = {}});
  config->backends[0].policy.connection_pool.max_requests = 2;
  config->workloads.push_back({.identity = {}, .name = "web", .name_space = "shop", .labels = {}, .route_table = 0});
  config->route_tables.emplace_back();

  auto view = std::make_shared<NodeView>();
  view->config = config;
  view->is_proxy_up = true;
  view->proxy_version = "0.0.9";
  view->proxy_generation = 7;
  view->has_listeners = true;
  view->documents = {{.id = {.kind = "VirtualService", .name_space = "shop", .name = "greeter"},
                      .file = "a.yaml",
                      .state = config::DocumentState::partial}};
  view->findings = {{.code = "FL0001",
                     .document = "VirtualService shop/greeter",
                     .file = "a.yaml",
                     .line = 3,
                     .path = "spec.http[0].mirror",
                     .message = "is not enforced"}};
  Instance running;
  running.workload = "web";
  running.pod = {.id = 11, .cgroup_id = 5, .name = "web-1", .name_space = "shop", .workload = 0};
  running.cgroup = "/apps/web-1";
  running.state = InstanceState::redirected;
  Instance skipped = running;
  skipped.pod.id = 12;
  skipped.pod.name = "web-2";
  skipped.state = InstanceState::skipped;
  skipped.reason = "is within another";
  view->instances = {running, skipped};

  const config::EndpointStatus good{.address = address("10.0.0.1:80"), .active_requests = 2, .connections = 3};
  const config::EndpointStatus bad{.address = address("10.0.0.2:80"),
                                   .is_ejected = true,
                                   .ejection_reason = "consecutive_5xx",
                                   .returns_in = std::chrono::milliseconds(1500),
                                   .times_ejected = 2};
  Snapshot all;
  all.view = view;
  all.backends = {{{.pod = 11, .backend = kBackend, .requests = 2, .endpoints = {good, bad}},
                   {.pod = 99, .backend = kBackend, .endpoints = {good}}}};
  all.verdicts = {{"redirected", "-", 4}};
  return all;
}

TEST(Pages, ConfigDumpSaysWhoIsRedirectedAndWhyNot) {
  const boost::json::value page = boost::json::parse(config_dump(snapshot()));
  EXPECT_EQ(page.at("generation").to_number<int>(), 7);
  EXPECT_EQ(page.at("proxy").at("version").as_string(), "0.0.9");
  const auto& instances = page.at("workloads").at(0).at("instances");
  EXPECT_EQ(instances.at(0).at("state").as_string(), "redirected");
  EXPECT_EQ(instances.at(1).at("state").as_string(), "skipped");
  EXPECT_EQ(instances.at(1).at("reason").as_string(), "is within another");
  EXPECT_EQ(page.at("policies").at(0).at("findings").at(0).at("path").as_string(), "spec.http[0].mirror");
}

// A file with a syntax error has documents that do not say what they are.
TEST(Pages, ConfigDumpSaysWhatIsWrongWithDocumentsThatHaveNoName) {
  Snapshot broken = snapshot();
  auto view = std::make_shared<NodeView>(*broken.view);
  const config::DocumentStatus nameless{
      .id = {.kind = "unknown"}, .file = "b.yaml", .state = config::DocumentState::rejected};
  view->documents = {nameless, nameless};
  view->findings = {{.file = "b.yaml", .line = 22, .column = 4, .message = "this is not indented"},
                    {.file = "c.yaml", .line = 1, .message = "of another file"}};
  broken.view = view;
  const boost::json::value page = boost::json::parse(config_dump(broken));
  const auto& policies = page.at("policies").as_array();
  ASSERT_EQ(policies.at(0).at("findings").as_array().size(), 1U);
  EXPECT_EQ(policies.at(0).at("findings").at(0).at("message").as_string(), "this is not indented");
  EXPECT_EQ(policies.at(0).at("findings").at(0).at("column").to_number<int>(), 4);
  EXPECT_EQ(policies.at(1).at("findings").as_array().size(), 0U) << "once";
}

// Pods of one Deployment may be of two workloads, while a roll-out changes their labels.
TEST(Pages, ConfigDumpListsAnInstanceUnderItsOwnWorkloadOnly) {
  Snapshot both = snapshot();
  auto view = std::make_shared<NodeView>(*both.view);
  auto config = std::make_shared<config::NodeConfig>(*view->config);
  config->workloads.push_back(config->workloads[0]);
  view->instances[1].pod.workload = 1;
  view->config = config;
  both.view = view;
  const boost::json::value page = boost::json::parse(config_dump(both));
  ASSERT_THAT(page.at("workloads").as_array(), SizeIs(2));
  EXPECT_THAT(page.at("workloads").at(0).at("instances").as_array(), SizeIs(1));
  EXPECT_EQ(page.at("workloads").at(1).at("instances").at(0).at("name").as_string(), "web-2");
}

// The API server's pods are listed whether or not anybody opted in; how old the knowledge is counts from the snapshot.
TEST(Pages, ConfigDumpShowsEveryPodAndHowOldTheKnowledgeIs) {
  Snapshot all = snapshot();
  auto view = std::make_shared<NodeView>(*all.view);
  view->instances[1].workload = "other";
  view->watches = {{.resource = "pods", .error = "", .is_synced = true, .last_contact = base::WallTime(10s)},
                   {.resource = "services", .error = "no route", .is_synced = false, .last_contact = {}}};
  all.view = view;
  all.taken_at = base::WallTime(12s);
  const boost::json::value page = boost::json::parse(config_dump(all));
  EXPECT_EQ(page.at("pods").at(1).at("name").as_string(), "web-2");
  EXPECT_EQ(page.at("pods").at(1).at("workload").as_string(), "other");
  EXPECT_EQ(page.at("time").to_number<double>() - page.at("watches").at(0).at("last_contact").to_number<double>(), 2);
  EXPECT_TRUE(page.at("watches").at(1).at("last_contact").is_null());
  EXPECT_EQ(page.at("watches").at(1).at("error").as_string(), "no route");
}

TEST(Pages, ConfigDumpSaysWhatARouteDoesAndWhichDocumentsSaySo) {
  Snapshot all = snapshot();
  auto view = std::make_shared<NodeView>(*all.view);
  auto config = std::make_shared<config::NodeConfig>(*view->config);
  config->backends[0].origin = "b.yaml:9 DestinationRule shop/greeter";
  config::Route route;
  route.origin = "a.yaml:3 VirtualService shop/greeter http[0]";
  route.match.uri = config::StringMatch{.kind = config::MatchKind::prefix, .value = "/slow"};
  route.match.headers = {
      {.name = "x-user", .match = {.kind = config::MatchKind::present, .value = ""}, .is_inverted = true}};
  route.destinations = {{.backend = 0}, {.backend = config::Destination::kUnknownBackend}};
  route.timeout = 300ms;
  route.retry.max_retries = 3;
  route.retry.retry_on = config::kRetryOn5xx | config::kRetryOnRetriableStatusCodes;
  route.retry.retriable_status_codes = {503};
  route.fault.abort_status = 418;
  route.fault.abort_per_million = 100;
  config->route_tables[0].ports = {{.port = 80, .virtual_hosts = {{.name = "greeter:80", .routes = {route}}}}};
  view->config = config;
  all.view = view;
  const boost::json::value page = boost::json::parse(config_dump(all));
  EXPECT_EQ(page.at("backends").at(0).at("from").as_string(), "b.yaml:9 DestinationRule shop/greeter");
  EXPECT_EQ(page.at("backends").at(0).at("host").as_string(), "greeter.shop.svc.cluster.local");
  const auto& shown = page.at("route_tables").at(0).at("virtual_hosts").at(0).at("routes").at(0);
  EXPECT_EQ(shown.at("from").as_string(), "a.yaml:3 VirtualService shop/greeter http[0]");
  EXPECT_EQ(shown.at("match").at(0).at("how").as_string(), "prefix");
  EXPECT_TRUE(shown.at("match").at(1).at("inverted").as_bool());
  EXPECT_TRUE(shown.at("destinations").at(1).at("index").is_null());
  EXPECT_EQ(boost::json::serialize(shown.at("retries").at("retry_on")), R"(["5xx","retriable-status-codes"])");
  EXPECT_EQ(shown.at("fault").at("abort").at("status").to_number<int>(), 418);
}

TEST(Pages, NothingIsRedirectedBeforeTheProxyEnforcesSomething) {
  Snapshot early = snapshot();
  auto view = std::make_shared<NodeView>(*early.view);
  view->proxy_generation = 0;
  early.view = view;
  const boost::json::value page = boost::json::parse(config_dump(early));
  EXPECT_EQ(page.at("workloads").at(0).at("instances").at(0).at("state").as_string(), "pending");
  EXPECT_THAT(not_ready(early), HasSubstr("no configuration"));
}

TEST(Pages, ClustersNameTheCallerTheRuleAndTheTime) {
  const boost::json::value page = boost::json::parse(clusters_json(snapshot()));
  const auto& mine = page.at("clusters").at(0);
  EXPECT_EQ(mine.at("source").as_string(), "web.shop/web-1");
  EXPECT_EQ(mine.at("limits").at("requests").at("limit").to_number<int>(), 2);
  EXPECT_TRUE(mine.at("limits").at("pending").at("limit").is_null());
  EXPECT_TRUE(mine.at("endpoints").at(0).at("ejected").is_null());
  EXPECT_EQ(mine.at("endpoints").at(1).at("ejected").at("reason").as_string(), "consecutive_5xx");
  EXPECT_EQ(mine.at("endpoints").at(1).at("ejected").at("returns_in_ms").to_number<int>(), 1500);
  EXPECT_EQ(page.at("clusters").at(1).at("source").as_string(), "unknown");

  const std::string text = clusters_text(snapshot());
  EXPECT_THAT(text, HasSubstr(std::string(kBackend) + "::requests::2 of 2\n"));
  EXPECT_THAT(text, HasSubstr(std::string(kBackend) + "::10.0.0.2:80::health_flags::/failed_outlier_check\n"));
  EXPECT_THAT(text, HasSubstr(std::string(kBackend) + "::10.0.0.2:80::returns_in_ms::1500\n"));
}

TEST(Pages, ReadyWhenConnectionsAreServed) {
  EXPECT_THAT(not_ready(snapshot()), IsEmpty());
  Snapshot down = snapshot();
  auto view = std::make_shared<NodeView>(*down.view);
  view->is_proxy_up = false;
  down.view = view;
  EXPECT_EQ(not_ready(down), "the proxy does not run, or does not answer\n");
}

// An endpoint that is ejected for one caller counts as ejected, once.
TEST(Pages, NodeStateAddsUpCallersAndCountsEndpointsOnce) {
  const telemetry::NodeState state = node_state(snapshot());
  ASSERT_THAT(state.services, SizeIs(1));
  EXPECT_EQ(state.services[0].host, "greeter.shop.svc.cluster.local");
  EXPECT_THAT(state.services[0].in_use, ElementsAre(0, 0, 2, 0));
  EXPECT_THAT(state.services[0].is_open, ElementsAre(false, false, true, false));
  EXPECT_EQ(state.services[0].healthy, 1U);
  EXPECT_EQ(state.services[0].ejected, 1U);
  ASSERT_THAT(state.ejected_endpoints, SizeIs(1));
  EXPECT_EQ(state.ejected_endpoints[0].pod, "10.0.0.2:80");
  EXPECT_EQ(state.pods[static_cast<std::size_t>(InstanceState::redirected)], 1U);
  EXPECT_EQ(state.redirects[0].count, 4U);
}

}  // namespace
}  // namespace agent::admin
