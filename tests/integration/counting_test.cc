// What the proxy counts of real connections, as the metrics page shows it.
#include <algorithm>

#include "tests/integration/proxy_fixture.h"
#include "tests/support/unanswering_listener.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using support::HttpClient;
using support::Io;
using ::testing::Eq;
using ::testing::Optional;

std::string ended(const char* direction, const char* result) {
  return std::string("fairlead_connections_total{direction=\"") + direction + "\",result=\"" + result + "\"}";
}

std::string of_greeter(const char* name, const char* label, const char* value) {
  return std::string(name) + R"({destination_service="greeter-service.default.svc.cluster.local",)" + label + "=\"" +
         value + "\"}";
}

using CountingTest = ProxyTest;

TEST_F(CountingTest, APooledConnectionThatIsNotUsedEndsAsATimeout) {
  add_upstream();
  start(destination_rule("{connectionPool: {http: {idleTimeout: 20ms}}}"));
  EXPECT_EQ(get().status(), 200);
  EXPECT_TRUE(becomes(ended("upstream", "timeout"), 1));
  EXPECT_THAT(sample(of_greeter("fairlead_timeouts_total", "kind", "idle")), Optional(1));
  EXPECT_THAT(sample(ended("upstream", "closed")), Optional(0));
}

TEST_F(CountingTest, AnIdleCallerEndsAsATimeout) {
  add_upstream();
  start("", 1, "{limits: {downstreamIdleTimeout: 20ms}}");
  HttpClient client = this->client();
  EXPECT_EQ(client.get("/", kHost).status(), 200);
  EXPECT_EQ(client.wait_for_end(), Io::closed);
  EXPECT_TRUE(becomes(ended("downstream", "timeout"), 1));
}

TEST_F(CountingTest, ConnectionsEndAsThePeersEndThem) {
  add_upstream();
  start();
  HttpClient polite = client();
  HttpClient rude = client();
  EXPECT_EQ(polite.get("/", kHost).status(), 200);
  EXPECT_EQ(rude.get("/", kHost).status(), 200);
  polite.close();
  rude.reset();
  EXPECT_TRUE(becomes(ended("downstream", "closed"), 1));
  EXPECT_TRUE(becomes(ended("downstream", "reset"), 1));
  EXPECT_TRUE(becomes(R"(fairlead_connections{direction="downstream"})", 0));
}

TEST_F(CountingTest, AnEndpointThatIsDownRefuses) {
  add_upstream().go_down();
  start(virtual_service("[{retries: {attempts: 0}, route: [{destination: {host: greeter-service}}]}]"));
  EXPECT_EQ(get().status(), 503);
  EXPECT_TRUE(becomes(ended("upstream", "refused"), 1));
}

TEST_F(CountingTest, ARequestThatMaxConnectionsKeepsWaitingIsCounted) {
  const auto gate = std::make_shared<support::Gate>();
  support::FakeUpstream& upstream = add_upstream(support::after(gate, support::reply()));
  start(destination_rule("{connectionPool: {tcp: {maxConnections: 1}}}"));
  HttpClient first = client();
  HttpClient second = client();
  first.send("GET / HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");
  ASSERT_TRUE(upstream.wait_for_requests(1));
  second.send("GET / HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");
  EXPECT_TRUE(becomes(of_greeter("fairlead_breaker_rejects_total", "limit", "connections"), 1));
  gate->open();
  EXPECT_EQ(first.receive().status(), 200);
  EXPECT_EQ(second.receive().status(), 200);
}

TEST_F(CountingTest, EachRetryCountsOnceByHowItEnded) {
  add_upstream(support::in_order(
      {support::reply({.status = 503}), support::reply({.status = 503}), support::reply(),  // two retries
       support::reply({.status = 503}), support::reply({.status = 503}), support::reply({.status = 503})}));
  start(
      virtual_service("[{retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}, "
                      "route: [{destination: {host: greeter-service}}]}]"));
  EXPECT_EQ(get().status(), 200);
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "failure"), 1));
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "success"), 1));
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "limit"), 0));
  EXPECT_EQ(get().status(), 503);
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "failure"), 3));
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "success"), 1));
  EXPECT_TRUE(becomes(of_greeter("fairlead_retries_total", "outcome", "limit"), 1));
}

std::string of_pod(const char* name, const char* label = "") {
  return std::string("fairlead_pod_tcp_") + name + R"({source_namespace="unknown",source_pod="unknown")" + label + "}";
}
const std::string kSent = of_pod("bytes_total", R"(,direction="sent")");
const std::string kReceived = of_pod("bytes_total", R"(,direction="received")");

TEST_F(CountingTest, TcpOfAConnectionForAPodIsCountedWhenItEnds) {
  add_upstream(support::reply({.pattern_size = 100'000}));
  start(destination_rule("{connectionPool: {http: {maxRequestsPerConnection: 1}}}"));
  EXPECT_EQ(get().status(), 200);
  EXPECT_TRUE(becomes(of_pod("rtt_seconds_count"), 1));
  EXPECT_THAT(sample(of_pod("rtt_seconds_sum")), Optional(::testing::Gt(0.0)));
  EXPECT_THAT(sample(kSent), Optional(::testing::Gt(100.0)));
  EXPECT_THAT(sample(kReceived), Optional(::testing::Gt(100'000.0)));
  EXPECT_THAT(sample(of_pod("resets_total")), Optional(0));
  EXPECT_THAT(sample(of_pod("retransmits_total")), Optional(0));
}

TEST_F(CountingTest, TcpOfALongConnectionIsCountedWhileItLasts) {
  const auto gate = std::make_shared<support::Gate>();
  add_upstream([gate](support::Exchange& exchange) {
    exchange.send_head({.is_chunked = true});
    while (exchange.wait_for(20ms) && !gate->is_open() && exchange.send_chunk("tick\n")) {
    }
    exchange.send_last_chunk();
  });
  start();
  HttpClient client = this->client();
  client.send("GET / HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");
  EXPECT_TRUE(becomes(of_pod("rtt_seconds_count"), 1));
  EXPECT_THAT(sample(kReceived), Optional(::testing::Gt(100.0)));
  EXPECT_THAT(sample(R"(fairlead_connections{direction="upstream"})"), Optional(1));
  gate->open();
  EXPECT_EQ(client.receive().status(), 200);
}

TEST_F(CountingTest, AResetOfABusyConnectionAndOfAnIdleOne) {
  support::FakeUpstream& upstream = add_upstream(support::in_order({support::reset_unanswered(), support::reply()}));
  start(virtual_service("[{retries: {attempts: 0}, route: [{destination: {host: greeter-service}}]}]"));
  EXPECT_EQ(get().status(), 503);
  EXPECT_TRUE(becomes(of_pod("resets_total"), 1));
  EXPECT_EQ(get().status(), 200);
  upstream.go_down();
  EXPECT_TRUE(becomes(of_pod("resets_total"), 2));
  EXPECT_THAT(sample(ended("upstream", "reset")), Optional(2));
}

TEST_F(CountingTest, TcpIsNotCountedWhenSwitchedOff) {
  add_upstream();
  start(destination_rule("{connectionPool: {http: {maxRequestsPerConnection: 1}}}"), 1, "{telemetry: {tcp: false}}");
  EXPECT_EQ(get().status(), 200);
  EXPECT_TRUE(becomes(ended("upstream", "closed"), 1));
  EXPECT_THAT(sample(of_pod("rtt_seconds_count")), Optional(0));
  EXPECT_THAT(sample(kReceived), Optional(0));
}

TEST_F(CountingTest, EachWorkerMeasuresHowLateItsTimersRun) {
  add_upstream();
  start("", 2);
  for (const char* const worker : {"0", "1"}) {
    const std::string count =
        std::string(R"(fairlead_event_loop_lag_seconds_count{process="proxy",worker=")") + worker + "\"}";
    EXPECT_TRUE(becomes(count, 1)) << worker;
  }
}

}  // namespace
}  // namespace tests
