#include "agent/telemetry/metrics_page.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>

#include "proxy/telemetry/worker_telemetry.h"

namespace agent::telemetry {
namespace {

using namespace std::chrono_literals;
using namespace proxy::telemetry;
using ::telemetry::SharedMemory;

struct MetricsPageTest : testing::Test {
  MetricsPageTest() {
    config.services.push_back({});
    config.services[0].host = "greeter-service.default.svc.cluster.local";
    config.services[0].name = "greeter-service";
    config.services[0].name_space = "default";
    config.services[0].app = "greeter-service";
    config.workloads.push_back({});
    config.workloads[0].identity = {.workload = "helloweb",
                                    .workload_namespace = "default",
                                    .app = "helloweb",
                                    .version = "v1",
                                    .canonical_service = "helloweb",
                                    .canonical_revision = "v1"};
    config.backends.push_back({});
    config.backends[0].endpoints.push_back({.address = *base::SocketAddress::parse("10.244.2.3:3000"),
                                            .identity = {.workload = "greeter-v2",
                                                         .workload_namespace = "default",
                                                         .app = "greeter-service",
                                                         .version = "v2",
                                                         .canonical_service = "greeter-service",
                                                         .canonical_revision = "v2"}});
    names.assign(config);
    names.assign(pod);
    names.set_present(config, {pod});
  }

  RequestRecord request(std::uint16_t code, std::uint32_t flags = 0) {
    RequestRecord record;
    record.config = &config;
    record.pod = &pod;
    record.source = &config.workloads[0].identity;
    record.service = &config.services[0];
    record.endpoint = &config.backends[0].endpoints[0];
    record.response_code = code;
    record.flags = flags;
    record.duration = 7500us;
    record.request_wire_bytes = 120;
    record.response_wire_bytes = 2100;
    return record;
  }
  AttemptRecord attempt(std::uint16_t code) {
    AttemptRecord record;
    record.config = &config;
    record.pod = &pod;
    record.source = &config.workloads[0].identity;
    record.service = &config.services[0];
    record.endpoint = &config.backends[0].endpoints[0];
    record.was_sent = true;
    record.response_code = code;
    record.duration = 7ms;
    record.request_wire_bytes = 150;
    record.response_wire_bytes = 2000;
    return record;
  }
  // A success, a refusal by a limit, an unknown host and a TCP connection.
  void generate() {
    worker.on_downstream_opened(pod.id);
    worker.on_upstream_opened();
    worker.on_attempt(attempt(200));
    worker.on_request(request(200));
    auto refused = request(503, kUpstreamOverflow);
    refused.endpoint = nullptr;
    worker.on_request(refused);
    worker.on_limit_reject(config.services[0].id, LimitKind::pending);
    auto unknown = request(200);
    unknown.service = nullptr;
    unknown.endpoint = nullptr;
    unknown.is_passthrough = true;
    unknown.authority = "example.org";
    worker.on_request(unknown);
    const TcpRecord tcp{.config = &config,
                        .pod = &pod,
                        .source = &config.workloads[0].identity,
                        .service = &config.services[0],
                        .endpoint = &config.backends[0].endpoints[0]};
    worker.on_tcp_opened(tcp);
    worker.on_tcp_bytes(tcp, 1000, 200);
    worker.on_tcp_closed(tcp);
    worker.on_loop_lag(300us);
    worker.on_downstream_refused(RefusalScope::pod);
    worker.on_socket_shortage();
    node.version = "0.1.0";
    node.revision = "abc";
    node.kernel = "6.1.0";
    node.is_proxy_up = true;
    node.config_generation = node.proxy_config_generation = 3;
    node.config_last_success = base::WallTime(1'795'441'279'500ms);
    node.policies = {{.kind = "VirtualService", .state = "active", .count = 2}};
    node.policy_rejects = {{.kind = "DestinationRule", .reason = "schema", .count = 1}};
    node.kube_watches = {{.resource = "pods",
                          .events = {{.label = "added", .count = 7}, {.label = "deleted", .count = 0}},
                          .restarts = {{.label = "closed", .count = 2}},
                          .last_sync = base::WallTime(1'795'441'270'000ms)},
                         {.resource = "services", .events = {}, .restarts = {}, .last_sync = {}}};
    node.pods[0] = 1;
    node.pod_infos = {{.name_space = "default", .pod = "helloweb-1", .workload = "helloweb", .ip = "10.244.1.7"}};
    node.redirects = {{.verdict = "redirected", .reason = "-", .count = 2},
                      {.verdict = "passed", .reason = "not_a_service", .count = 1}};
    node.programs = {{.name = "connect4", .is_attached = true}};
    node.maps = {{.name = "services", .entries = 1, .max_entries = 4096}};
    node.pod_tcp = {
        {.name_space = "default", .pod = "helloweb-1", .counts = {1, 2, 0, 0, 0, 0, 0, 0, 400'000, 1, 0, 10, 20}}};
    worker.on_pod_tcp(pod.id, {.rtt = 125us, .retransmits = 2, .sent_bytes = 100, .received_bytes = 200});
    worker.on_pod_tcp_reset(pod.id);
    node.sockets_ready = 16;
    node.memory_budget_bytes[1] = 67108864;
    node.services = {{.host = "greeter-service.default.svc.cluster.local",
                      .in_use = {1, 0, 0, 0},
                      .is_open = {false, true, false, false},
                      .healthy = 1,
                      .draining = 0,
                      .ejected = 1}};
    node.ejected_endpoints = {
        {.service = "greeter-service.default.svc.cluster.local", .name_space = "default", .pod = "10.244.2.4:3000"}};
  }
  std::string render(std::string_view accept = {}) {
    return page.render(negotiate({.accept = accept, .accept_encoding = {}}), node, base::TimePoint(1h));
  }
  std::vector<std::string> lines_with(const std::string& text, std::string_view part) {
    std::vector<std::string> found;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      if (line.find(part) != std::string::npos) found.push_back(line);
    }
    return found;
  }

  config::NodeConfig config;
  config::Pod pod{.cgroup_id = 1, .name = "helloweb-1", .name_space = "default"};
  IdentityTable names;
  SharedMemory memory = *SharedMemory::create(1, 50);
  std::unique_ptr<ShardSet> shards = *ShardSet::attach(*memory.duplicate_fd());
  WorkerTelemetry worker{*shards, 0};
  NodeState node;
  MetricsPage page{*SharedMemory::open(*memory.duplicate_fd()), names, {}};
};

// After a wanted change: copy the file that the failure names over the golden one, and read the difference.
void expect_golden(const std::string& actual, const std::string& name) {
  std::ifstream file(GOLDEN_DIR "/" + name);
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  if (actual == golden) return;
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << actual;
  ADD_FAILURE() << "differs from " GOLDEN_DIR "/" << name << ": see " << path;
}

TEST_F(MetricsPageTest, IsTheGoldenTextPage) {
  generate();
  expect_golden(render(), "metrics.txt");
}

TEST_F(MetricsPageTest, IsTheGoldenOpenMetricsPage) {
  generate();
  expect_golden(render("application/openmetrics-text"), "metrics.openmetrics");
}

TEST_F(MetricsPageTest, ShowsARefusedRequestWithItsServiceAndAppAndNoGhost) {
  auto refused = request(503, kUpstreamOverflow);
  refused.endpoint = nullptr;
  worker.on_request(refused);
  const auto rows = lines_with(render(), "istio_requests_total{");
  ASSERT_EQ(rows.size(), 1U);
  for (const std::string_view label :
       {"reporter=\"source\"", "destination_workload=\"unknown\"", "destination_workload_namespace=\"unknown\"",
        "destination_version=\"unknown\"", "destination_canonical_service=\"unknown\"",
        "destination_canonical_revision=\"latest\"", "destination_cluster=\"Kubernetes\"",
        "destination_app=\"greeter-service\"", "destination_service_name=\"greeter-service\"", "response_code=\"503\"",
        "response_flags=\"UO\"", "connection_security_policy=\"unknown\""}) {
    EXPECT_NE(rows[0].find(label), std::string::npos) << label << " in " << rows[0];
  }
}

TEST_F(MetricsPageTest, PutsTwentyFiveLabelsOnEveryRequestRow) {
  generate();
  for (const std::string& line : lines_with(render(), "istio_requests_total{")) {
    std::set<std::string> names_seen;
    const std::string labels = line.substr(line.find('{') + 1, line.rfind('}') - line.find('{') - 1);
    for (std::size_t i = 0; i < labels.size();) {
      const std::size_t equals = labels.find("=\"", i);
      names_seen.insert(labels.substr(i, equals - i));
      const std::size_t value_end = labels.find('"', equals + 2);
      EXPECT_TRUE(value_end > equals + 2 || labels.substr(i, equals - i) == "grpc_response_status") << line;
      i = value_end + 2;
    }
    EXPECT_EQ(names_seen.size(), 25U) << line;
  }
}

TEST_F(MetricsPageTest, ReportsASentAttemptAsPlainTextWouldArrive) {
  worker.on_attempt(attempt(503));
  const auto rows = lines_with(render(), "istio_requests_total{");
  ASSERT_EQ(rows.size(), 1U);
  for (const std::string_view label : {"reporter=\"destination\"", "destination_workload=\"greeter-v2\"",
                                       "connection_security_policy=\"none\"", "response_code=\"503\""}) {
    EXPECT_NE(rows[0].find(label), std::string::npos) << label;
  }
}

TEST_F(MetricsPageTest, NamesOverflowInsteadOfLosingIt) {
  config.settings.max_series = 1;
  worker.on_request(request(200));
  worker.on_request(request(404));
  const std::string text = render();
  const auto rows = lines_with(text, "istio_requests_total{");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_NE(text.find("source_workload=\"_overflow\",source_workload_namespace=\"unknown\",source_app=\"_overflow\""),
            std::string::npos);
  EXPECT_FALSE(lines_with(text, "fairlead_series_overflow_total{family=\"request\"} 1").empty());
}

TEST_F(MetricsPageTest, LeavesOutDroppedLabelsAndAddsUpWhatBecomesEqual) {
  config.workloads.push_back(config.workloads[0]);
  config.workloads[1].identity.version = "v9";
  names.assign(config);
  auto second = request(200);
  second.source = &config.workloads[1].identity;
  worker.on_request(request(200));
  worker.on_request(second);
  EXPECT_EQ(lines_with(render(), "istio_requests_total{").size(), 2U);
  page.set_label_settings({.dropped = {.version = true}});
  const auto rows = lines_with(render(), "istio_requests_total{");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].ends_with("} 2")) << rows[0];
  EXPECT_EQ(rows[0].find("_version"), std::string::npos);
}

TEST_F(MetricsPageTest, KeepsTheLinesOfAFamilyTogether) {
  generate();
  std::set<std::string> finished;
  for (const std::string& line : lines_with(render(), "# TYPE ")) {
    EXPECT_TRUE(finished.insert(line).second) << line;
  }
}

TEST_F(MetricsPageTest, AddsUpTheConnectionsOfAPodAndThoseMadeForIt) {
  const std::string sent = R"(fairlead_pod_tcp_bytes_total{source_namespace="default",source_pod="helloweb-1",)"
                           R"(direction="sent"} )";
  worker.on_pod_tcp(pod.id, {.rtt = 125us, .retransmits = 0, .sent_bytes = 100, .received_bytes = 200});
  EXPECT_EQ(lines_with(render(), sent), std::vector{sent + "100"});
  node.pod_tcp = {{.name_space = "default", .pod = "helloweb-1", .counts = {}}};
  node.pod_tcp[0].counts[::telemetry::row::pod::kSentBytes - ::telemetry::row::pod::kTcp] = 10;
  EXPECT_EQ(lines_with(render(), sent), std::vector{sent + "110"});
  // The cgroup went before the pod's last numbers were scraped.
  node.pod_tcp.clear();
  EXPECT_EQ(lines_with(render(), sent), std::vector{sent + "110"});
}

TEST_F(MetricsPageTest, ShowsConnectionsOfAPodThatNeverUsedTheProxy) {
  node.pod_tcp = {{.name_space = "default", .pod = "quiet", .counts = {}}};
  node.pod_tcp[0].counts[::telemetry::row::pod::kResets - ::telemetry::row::pod::kTcp] = 3;
  const std::string resets = R"(fairlead_pod_tcp_resets_total{source_namespace="default",source_pod="quiet"} )";
  EXPECT_EQ(lines_with(render(), resets), std::vector{resets + "3"});
  node.pod_tcp.clear();
  EXPECT_TRUE(lines_with(render(), resets).empty());
}

TEST_F(MetricsPageTest, ReportsBothProcesses) {
  node.agent_pid = node.proxy_pid = getpid();
  const std::string text = render();
  for (const std::string_view process : {"agent", "proxy"}) {
    for (const std::string_view name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                                        "process_open_fds", "process_start_time_seconds"}) {
      const std::string sample = std::string(name) + "{process=\"" + std::string(process) + "\"} ";
      const auto found = lines_with(text, sample);
      ASSERT_EQ(found.size(), 1U) << sample;
      if (name != "process_cpu_seconds_total") {
        EXPECT_GT(std::strtod(found[0].c_str() + sample.size(), nullptr), 0) << found[0];
      }
    }
  }
}

TEST_F(MetricsPageTest, CompressesWhenAsked) {
  generate();
  const ScrapeHead head = negotiate({.accept = {}, .accept_encoding = "gzip"});
  EXPECT_EQ(head.content_encoding, "gzip");
  const std::string body = page.render(head, node, base::TimePoint(1h));
  EXPECT_TRUE(body.starts_with("\x1f\x8b"));
  EXPECT_LT(body.size(), render().size() / 4);
}

}  // namespace
}  // namespace agent::telemetry
