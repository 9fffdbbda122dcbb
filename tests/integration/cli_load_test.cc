#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/http/client.h"
#include "cli/load/runner.h"
#include "tests/integration/cli_scripted_server.h"

namespace cli::load {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::UnorderedElementsAre;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const std::string kOverflow = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";

Plan plan_for(const ScriptedServer& server, std::uint32_t connections, std::uint64_t requests) {
  Plan plan;
  plan.address = server.address();
  plan.request = http::request_head("GET", "/hello", "greeter-service:3000", {});
  plan.connections = connections;
  plan.requests = requests;
  return plan;
}

TEST(Load, CountsEveryRequestOnceOverKeptConnections) {
  ScriptedServer server([](const Asked& asked) { return Action{asked.in_all % 5 == 4 ? kOverflow : kChunked}; });
  const auto outcome = run(plan_for(server, 3, 50));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 40), Pair(503, 10)));
  EXPECT_EQ(outcome->requests(), 50U);
  EXPECT_EQ(outcome->sockets, 3U);
  EXPECT_EQ(outcome->body_bytes, 80U);
  EXPECT_EQ(server.requests(), 50);
  EXPECT_EQ(server.connections(), 3);
}

TEST(Load, OpensAConnectionForEachRequestWithoutKeepAlive) {
  ScriptedServer server([](const Asked&) { return Action{kOk}; });
  auto plan = plan_for(server, 2, 8);
  plan.keeps_alive = false;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 8)));
  EXPECT_EQ(outcome->sockets, 8U);
}

TEST(Load, ReconnectsWhenTheServerSaysClose) {
  ScriptedServer server([](const Asked& asked) {
    const bool is_last = asked.on_connection == 1;
    return Action{is_last ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" : kOk, is_last};
  });
  const auto outcome = run(plan_for(server, 1, 6));
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 6)));
  EXPECT_EQ(outcome->sockets, 3U);
}

TEST(Load, ARequestOnAKeptConnectionThatDiesIsSentAgainOnce) {
  ScriptedServer server([](const Asked& asked) {
    return asked.on_connection == 0 ? Action{kOk} : Action{"", true};  // a server with a bad keep-alive
  });
  const auto outcome = run(plan_for(server, 1, 4));
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 4)));
  EXPECT_EQ(outcome->sockets, 4U);
}

TEST(Load, ARequestWithoutAnAnswerCountsAsMinusOne) {
  ScriptedServer server([](const Asked& asked) {
    return asked.in_all % 2 == 0 ? Action{"", true} : Action{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true};
  });
  auto plan = plan_for(server, 1, 4);
  plan.keeps_alive = false;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(kNoAnswer, 4)));
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("connection closed without a response", 2),
                                                      Pair("connection closed in the middle of a response", 2)));
}

TEST(Load, ARefusedConnectionCountsAsMinusOne) {
  std::optional<ScriptedServer> server(std::in_place, [](const Asked&) { return Action{kOk}; });
  auto plan = plan_for(*server, 2, 4);
  server.reset();  // nobody listens on its port any more
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(kNoAnswer, 4)));
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("Connection refused", 4)));
}

TEST(Load, ARequestThatHangsEndsWithItsTimeout) {
  ScriptedServer server([](const Asked&) { return Action{""}; });
  auto plan = plan_for(server, 2, 2);
  plan.timeout = 50ms;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("no answer in time", 2)));
  EXPECT_GE(outcome->durations.min(), 0.05);
}

TEST(Load, KeepsToItsRate) {
  ScriptedServer server([](const Asked&) { return Action{kOk}; });
  auto plan = plan_for(server, 2, 20);
  plan.requests_per_second = 200;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 20)));
  EXPECT_GE(outcome->elapsed, 90ms);  // 20 requests, the first at 0: 19 periods of 5 ms
}

TEST(Load, ARunForATimeEndsThenAndNotAPeriodLater) {
  ScriptedServer server([](const Asked&) { return Action{kOk}; });
  auto plan = plan_for(server, 4, 0);
  plan.requests.reset();
  plan.duration = 100ms;
  plan.requests_per_second = 1;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 1)));
  EXPECT_LT(outcome->elapsed, 1s);
}

TEST(Load, StopsWhenTold) {
  ScriptedServer server([](const Asked&) { return Action{""}; });
  const base::UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  auto plan = plan_for(server, 2, 100);
  plan.stop_fd = stop.get();
  const auto outcome = run(plan);
  EXPECT_EQ(outcome->requests(), 0U);
}

TEST(HttpGet, ReadsOneAnswer) {
  ScriptedServer server([](const Asked&) { return Action{kChunked}; });
  const auto response = http::get({.address = server.address(), .target = "/"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hi");
}

TEST(HttpGet, FailsInTimeWhenNobodyAnswers) {
  ScriptedServer server([](const Asked&) { return Action{""}; });
  const auto response = http::get({.address = server.address(), .target = "/", .timeout = 50ms});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "no answer in time");
}

}  // namespace
}  // namespace cli::load
