// The scenarios of SEMANTICS 5, with real connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/integration/proxy_fixture.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using support::after;
using support::ClientResponse;
using support::FakeUpstream;
using support::Gate;
using support::hang;
using support::HttpClient;
using support::reply;
using ::testing::SizeIs;

constexpr const char* kToGreeter = "route: [{destination: {host: greeter-service}}]";

std::string rule(const std::string& fields) { return virtual_service("[{" + fields + ", " + kToGreeter + "}]"); }

// What a limit answers (S3).
void expect_overflow(const ClientResponse& response) {
  EXPECT_EQ(response.status(), 503);
  EXPECT_EQ(response.body.text, "upstream connect error or disconnect/reset before headers. reset reason: overflow");
  EXPECT_EQ(response.body.size, 81U);
  EXPECT_EQ(response.head.header("x-envoy-overloaded"), "true");
  EXPECT_EQ(response.head.header("content-type"), "text/plain");
}

class Scenarios : public ProxyTest {};

TEST_F(Scenarios, S1_TimeoutGives504AndCancelsTheEndpointsRequest) {
  FakeUpstream& upstream = add_upstream(hang());
  start(rule("timeout: 0.5s"));
  const ClientResponse response = get("/version");
  EXPECT_EQ(response.status(), 504);
  EXPECT_EQ(response.body.text, "upstream request timeout");
  EXPECT_EQ(response.body.size, 24U);
  EXPECT_GE(response.took, 500ms);
  EXPECT_LT(response.took, 900ms);  // 520 ms on an idle machine
  EXPECT_TRUE(upstream.wait_until([](const FakeUpstream& seen) {
    return seen.requests().size() == 1 && seen.requests()[0].cancelled_at.has_value();
  }));
  const std::string line = log_line();
  EXPECT_EQ(member(line, "response_flags"), R"("UT")");
  EXPECT_EQ(member(line, "response_code_details"), R"("response_timeout")");
}

TEST_F(Scenarios, S1_ATimeoutCountsAsAGatewayErrorOfItsEndpoint) {
  add_upstream(hang());
  start(rule("timeout: 0.05s") +
        destination_rule("{outlierDetection: {consecutiveGatewayErrors: 1, maxEjectionPercent: 100}}"));
  EXPECT_EQ(get().status(), 504);
  const auto ejected = ejections();
  ASSERT_THAT(ejected, SizeIs(1));
  EXPECT_EQ(ejected[0].reason, "consecutive_gateway");
}

// Two requests are under way on warm connections; a third is one too many.
TEST_F(Scenarios, S2_OneOfThreeConcurrentRequestsOverTwoIsRefused) {
  const auto gate = std::make_shared<Gate>();
  FakeUpstream& upstream = add_upstream(after(gate, reply()));
  start(destination_rule("{connectionPool: {http: {http2MaxRequests: 2}}}"));
  std::vector<std::thread> slow;
  std::atomic<int> answered{0};
  for (int i = 0; i < 2; ++i) {
    slow.emplace_back([&] { answered += get("/slow").status() == 200 ? 1 : 0; });
  }
  ASSERT_TRUE(upstream.wait_for_requests(2));
  expect_overflow(get("/third"));
  EXPECT_EQ(member(log_line(), "response_flags"), R"("UO")");
  gate->open();
  for (std::thread& each : slow) each.join();
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(get("/now").status(), 200);
}

TEST_F(Scenarios, S3_AnOverflowIsNeverRetriedAndNeverHeldAgainstTheEndpoint) {
  const auto gate = std::make_shared<Gate>();
  FakeUpstream& upstream = add_upstream(after(gate, reply()));
  start(rule("retries: {attempts: 3, retryOn: '5xx,reset'}") +
        destination_rule("{connectionPool: {http: {http2MaxRequests: 1}}, outlierDetection: {consecutive5xxErrors: 1, "
                         "consecutiveGatewayErrors: 1, maxEjectionPercent: 100}}"));
  std::thread slow([&] { get("/slow"); });
  ASSERT_TRUE(upstream.wait_for_requests(1));
  for (int i = 0; i < 3; ++i) {
    expect_overflow(get("/refused"));
    EXPECT_EQ(member(log_line(), "attempts"), "1");
  }
  EXPECT_THAT(ejections(), SizeIs(0));
  gate->open();
  slow.join();
  EXPECT_THAT(upstream.requests(), SizeIs(1));
}

// Ejected right after its third error, back at the first sweep two seconds later or more.
TEST_F(Scenarios, S4_ThreeErrorsEjectAndTheEndpointComesBack) {
  FakeUpstream& broken = add_upstream(reply({.status = 500, .reason = "Internal Server Error"}));
  FakeUpstream& good = add_upstream();
  start(
      destination_rule("{outlierDetection: {consecutive5xxErrors: 3, interval: 0.2s, baseEjectionTime: 0.4s, "
                       "maxEjectionPercent: 100}, loadBalancer: {simple: ROUND_ROBIN}}"));
  int errors = 0;
  while (errors < 3) errors += get().status() == 500 ? 1 : 0;
  const auto ejected = ejections();
  ASSERT_THAT(ejected, SizeIs(1));
  EXPECT_EQ(ejected[0].address, broken.address().to_string());
  EXPECT_EQ(ejected[0].reason, "consecutive_5xx");
  EXPECT_EQ(ejected[0].times, 1U);
  const std::size_t seen = broken.requests().size();
  EXPECT_EQ(seen, 3U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(get().status(), 200);
  EXPECT_EQ(broken.requests().size(), seen);
  // Healthy again, it is asked again.
  broken.set_handler(reply());
  const base::TimePoint limit = base::now() + 10s;
  while (broken.requests().size() == seen && base::now() < limit) EXPECT_EQ(get().status(), 200);
  EXPECT_GT(broken.requests().size(), seen);
  EXPECT_GT(good.requests().size(), 10U);
}

TEST_F(Scenarios, S5_TenPercentOfThreeIsNobody) {
  add_upstream(reply({.status = 503}));
  add_upstream();
  add_upstream();
  start(rule("retries: {attempts: 0}") +
        destination_rule("{outlierDetection: {consecutive5xxErrors: 2, "
                         "maxEjectionPercent: 10}, loadBalancer: {simple: ROUND_ROBIN}}"));
  for (int i = 0; i < 30; ++i) get();
  EXPECT_THAT(ejections(), SizeIs(0));
  EXPECT_GT(ejections_suppressed(), 0U);
}

TEST_F(Scenarios, S6_WithEverybodyEjectedThereIsNoHealthyUpstream) {
  add_upstream(reply({.status = 503}));
  start(rule("retries: {attempts: 0}") +
        destination_rule("{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}"));
  EXPECT_EQ(get().status(), 503);
  const ClientResponse response = get();
  EXPECT_EQ(response.status(), 503);
  EXPECT_EQ(response.body.text, "no healthy upstream");
  log_line();
  const std::string line = log_line();
  EXPECT_EQ(member(line, "response_flags"), R"("UH")");
  EXPECT_EQ(member(line, "response_code_details"), R"("no_healthy_upstream")");
}

TEST_F(Scenarios, S7_ARefusedConnectionIsRetriedElsewhereAndNobodyNotices) {
  FakeUpstream& down = add_upstream();
  add_upstream();
  down.go_down();
  start(destination_rule("{loadBalancer: {simple: ROUND_ROBIN}}"));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(get().status(), 200);
    EXPECT_THAT(member(log_line(), "attempts"), ::testing::AnyOf("1", "2"));
  }
  EXPECT_EQ(down.connections(), 0U);
}

TEST_F(Scenarios, S8_AnInjectedAbortIsReturnedAndNeverRetried) {
  FakeUpstream& upstream = add_upstream();
  start(rule("fault: {abort: {httpStatus: 503, percentage: {value: 50}}}, retries: {attempts: 3, retryOn: 5xx}"));
  std::size_t aborted = 0, answered = 0;
  for (int i = 0; i < 60; ++i) {
    const ClientResponse response = get();
    const std::string line = log_line();
    if (response.status() == 503) {
      EXPECT_EQ(response.body.text, "fault filter abort");
      EXPECT_EQ(member(line, "response_flags"), R"("FI")");
      ++aborted;
    } else {
      EXPECT_EQ(response.status(), 200);
      ++answered;
    }
  }
  EXPECT_GT(aborted, 5U);
  EXPECT_GT(answered, 5U);
  EXPECT_THAT(upstream.requests(), SizeIs(answered)) << "no abort reached it, and none was retried";
}

std::string root_rule(const std::string& traffic_policy) {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
         "metadata: {name: everybody, namespace: istio-system}\n"
         "spec: {host: greeter-service.default.svc.cluster.local, trafficPolicy: " +
         traffic_policy + "}\n";
}

// Whether one request that waits makes another one overflow.
class Precedence : public Scenarios {
 protected:
  int second_of_two(const std::string& policies) {
    const auto gate = std::make_shared<Gate>();
    FakeUpstream& upstream = add_upstream(after(gate, reply()));
    start(policies);
    std::thread first([&] { get("/first"); });
    EXPECT_TRUE(upstream.wait_for_requests(1));
    std::atomic<int> status{0};
    std::thread second([&] { status = get("/second").status(); });
    // Either it is refused, or it reaches the endpoint as well.
    EXPECT_TRUE(
        upstream.wait_until([&](const FakeUpstream& seen) { return seen.requests().size() == 2 || status != 0; }));
    gate->open();
    first.join();
    second.join();
    return status;
  }
};

constexpr const char* kOneRequest = "{connectionPool: {http: {http2MaxRequests: 1}}}";

TEST_F(Precedence, S11_TheRootNamespaceHoldsWhereNobodyElseSpeaks) {
  EXPECT_EQ(second_of_two(root_rule(kOneRequest)), 503);
}

TEST_F(Precedence, S11_TheClientsNamespaceReplacesTheRoots) {
  EXPECT_EQ(second_of_two(root_rule(kOneRequest) + destination_rule("{loadBalancer: {simple: RANDOM}}")), 200);
}

TEST_F(Precedence, S11_APortWithoutConnectionPoolHasNoLimits) {
  EXPECT_EQ(second_of_two(destination_rule("{connectionPool: {http: {http2MaxRequests: 1}}, portLevelSettings: [{port: "
                                           "{number: 3000}, loadBalancer: {simple: RANDOM}}]}")),
            200);
}

// 1 MiB is kept for a retry. Beyond that there is none, however retriable the answer.
TEST_F(Scenarios, S12_ABodyThatWasNotKeptIsNotSentAgain) {
  FakeUpstream& upstream = add_upstream(reply({.status = 503}));
  start(rule("retries: {attempts: 3, retryOn: 5xx}"));
  const std::size_t size = std::size_t{2} * 1024 * 1024;
  HttpClient large = client();
  large.send("POST /upload HTTP/1.1\r\nHost: greeter-service:3000\r\nContent-Length: " + std::to_string(size) +
             "\r\n\r\n");
  large.send_pattern(size);
  EXPECT_EQ(large.receive().status(), 503);
  EXPECT_THAT(upstream.requests(), SizeIs(1));
  EXPECT_EQ(upstream.requests()[0].body.size, size);

  HttpClient small = client();
  small.send("POST /upload HTTP/1.1\r\nHost: greeter-service:3000\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(small.receive().status(), 503);
  EXPECT_THAT(upstream.requests(), SizeIs(1 + 4));
  for (const auto& request : upstream.requests()) {
    if (request.body.size != size) EXPECT_EQ(request.body.text, "hello");
  }
}

// Requests keep the configuration they began with.
TEST_F(Scenarios, AFaultComesBeforeTheEndpointsThatMayNotExist) {
  add_upstream();
  start(virtual_service(
      "[{match: [{uri: {prefix: /abort}}], fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, "
      "route: [{destination: {host: nowhere}}]}, {route: [{destination: {host: nowhere}}]}]"));
  EXPECT_EQ(get("/abort").status(), 418);
  EXPECT_EQ(member(log_line(), "response_flags"), R"("FI")");
  EXPECT_EQ(get("/").status(), 503);
  EXPECT_EQ(member(log_line(), "response_flags"), R"("NC")");
}

TEST_F(Scenarios, AResponseThatIsCutCountsAsAFailureBesideItsStatus) {
  add_upstream(support::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"));
  start(destination_rule("{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}"));
  get();
  log_line();
  const auto ejected = ejections();
  ASSERT_THAT(ejected, SizeIs(1));
  EXPECT_EQ(ejected[0].reason, "consecutive_5xx");
}

TEST_F(Scenarios, TheGrpcStatusOfAnEarlierTryDoesNotStick) {
  add_upstream(support::in_order({reply({.headers = {{"grpc-status", "014"}}}), reply()}));
  start(rule("retries: {attempts: 1, retryOn: unavailable}"));
  EXPECT_EQ(get().status(), 200);
  EXPECT_EQ(member(log_line(), "response_flags"), R"("-")");
}

TEST_F(Scenarios, RulesSeePseudoHeadersAndWhatTheProxyAdds) {
  add_upstream();
  const auto abort = [](const std::string& headers, int status) {
    return "{match: [{headers: {" + headers + "}}], fault: {abort: {httpStatus: " + std::to_string(status) +
           ", percentage: {value: 100}}}, " + kToGreeter + "}, ";
  };
  start(virtual_service("[" + abort("':method': {exact: POST}", 411) + abort("':path': {prefix: '/p?'}", 412) +
                        abort("keep-alive: {}", 413) + abort("':scheme': {exact: https}", 414) +
                        abort("x-request-id: {regex: '[0-9a-f-]{36}'}, x-forwarded-proto: {exact: http}", 415) + "{" +
                        kToGreeter + "}]"));
  const std::string host = "Host: greeter-service:3000\r\n";
  EXPECT_EQ(client().exchange("POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n").status(), 411);
  EXPECT_EQ(get("/p?q").status(), 412);
  EXPECT_EQ(client().exchange("GET / HTTP/1.1\r\n" + host + "Keep-Alive: timeout=5\r\n\r\n").status(), 415);
  EXPECT_EQ(client().exchange("GET https://greeter-service:3000/ HTTP/1.1\r\n" + host + "\r\n").status(), 414);
  EXPECT_EQ(get("/").status(), 415);
  EXPECT_EQ(client().exchange("GET / HTTP/1.1\r\n" + host + "X-Forwarded-Proto:\r\n\r\n").status(), 404);
}

TEST_F(Scenarios, AReloadDoesNotDisturbARequestUnderWay) {
  const auto gate = std::make_shared<Gate>();
  FakeUpstream& upstream = add_upstream(after(gate, reply({.body = "hello"})));
  start();
  std::string body;
  std::thread slow([&] { body = get().body.text; });
  ASSERT_TRUE(upstream.wait_for_requests(1));
  apply(rule("fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"));
  EXPECT_EQ(get().status(), 418);
  gate->open();
  slow.join();
  EXPECT_EQ(body, "hello");
}

}  // namespace
}  // namespace tests
