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

namespace cli::load {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::UnorderedElementsAre;

// What to do with one request: bytes to answer, and whether the connection ends with it.
struct Action {
  std::string answer;
  bool closes = false;
};

// A server on loopback whose answer to each request the test decides; one thread for each connection.
class ScriptedServer {
 public:
  // `decide` is asked with the number of the request on its connection and of the request in all, both from 0.
  explicit ScriptedServer(std::function<Action(int, int)> decide) : decide_(std::move(decide)) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any);
    ::listen(listener_.get(), 128);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    for (auto& thread : threads_) thread.join();
    for (const int fd : open_) ::close(fd);
  }

  [[nodiscard]] base::SocketAddress address() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    return base::SocketAddress::from_sockaddr(storage);
  }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    std::string input;
    for (int on_connection = 0; !stopping_; ++on_connection) {
      while (input.find("\r\n\r\n") == std::string::npos) {
        char buffer[4096];
        const auto count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) return;
        input.append(buffer, static_cast<std::size_t>(count));
      }
      input.erase(0, input.find("\r\n\r\n") + 4);
      const auto action = decide_(on_connection, requests_++);
      ::send(fd, action.answer.data(), action.answer.size(), MSG_NOSIGNAL);
      if (action.closes) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
    }
  }

  std::function<Action(int, int)> decide_;
  base::UniqueFd listener_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // written by the acceptor, read when it has ended
  std::vector<int> open_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0, requests_ = 0;
};

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
  ScriptedServer server([](int, int all) { return Action{all % 5 == 4 ? kOverflow : kChunked}; });
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
  ScriptedServer server([](int, int) { return Action{kOk}; });
  auto plan = plan_for(server, 2, 8);
  plan.keeps_alive = false;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 8)));
  EXPECT_EQ(outcome->sockets, 8U);
}

TEST(Load, ReconnectsWhenTheServerSaysClose) {
  ScriptedServer server([](int on_connection, int) {
    const bool is_last = on_connection == 1;
    return Action{is_last ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" : kOk, is_last};
  });
  const auto outcome = run(plan_for(server, 1, 6));
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 6)));
  EXPECT_EQ(outcome->sockets, 3U);
}

TEST(Load, ARequestOnAKeptConnectionThatDiesIsSentAgainOnce) {
  ScriptedServer server([](int on_connection, int) {
    return on_connection == 0 ? Action{kOk} : Action{"", true};  // a server with a bad keep-alive
  });
  const auto outcome = run(plan_for(server, 1, 4));
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 4)));
  EXPECT_EQ(outcome->sockets, 4U);
}

TEST(Load, ARequestWithoutAnAnswerCountsAsMinusOne) {
  ScriptedServer server([](int, int all) {
    return all % 2 == 0 ? Action{"", true} : Action{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true};
  });
  auto plan = plan_for(server, 1, 4);
  plan.keeps_alive = false;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(kNoAnswer, 4)));
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("connection closed without a response", 2),
                                                      Pair("connection closed in the middle of a response", 2)));
}

TEST(Load, ARefusedConnectionCountsAsMinusOne) {
  std::optional<ScriptedServer> server(std::in_place, [](int, int) { return Action{kOk}; });
  auto plan = plan_for(*server, 2, 4);
  server.reset();  // nobody listens on its port any more
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(kNoAnswer, 4)));
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("Connection refused", 4)));
}

TEST(Load, ARequestThatHangsEndsWithItsTimeout) {
  ScriptedServer server([](int, int) { return Action{""}; });
  auto plan = plan_for(server, 2, 2);
  plan.timeout = 50ms;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->failures, UnorderedElementsAre(Pair("no answer in time", 2)));
  EXPECT_GE(outcome->durations.min(), 0.05);
}

TEST(Load, KeepsToItsRate) {
  ScriptedServer server([](int, int) { return Action{kOk}; });
  auto plan = plan_for(server, 2, 20);
  plan.requests_per_second = 200;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 20)));
  EXPECT_GE(outcome->elapsed, 90ms);  // 20 requests, the first at 0: 19 periods of 5 ms
}

TEST(Load, ARunForATimeEndsThenAndNotAPeriodLater) {
  ScriptedServer server([](int, int) { return Action{kOk}; });
  auto plan = plan_for(server, 4, 0);
  plan.requests.reset();
  plan.duration = 100ms;
  plan.requests_per_second = 1;
  const auto outcome = run(plan);
  EXPECT_THAT(outcome->codes, UnorderedElementsAre(Pair(200, 1)));
  EXPECT_LT(outcome->elapsed, 1s);
}

TEST(Load, StopsWhenTold) {
  ScriptedServer server([](int, int) { return Action{""}; });
  const base::UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  auto plan = plan_for(server, 2, 100);
  plan.stop_fd = stop.get();
  const auto outcome = run(plan);
  EXPECT_EQ(outcome->requests(), 0U);
}

TEST(HttpGet, ReadsOneAnswer) {
  ScriptedServer server([](int, int) { return Action{kChunked}; });
  const auto response = http::get({.address = server.address(), .target = "/"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hi");
}

TEST(HttpGet, FailsInTimeWhenNobodyAnswers) {
  ScriptedServer server([](int, int) { return Action{""}; });
  const auto response = http::get({.address = server.address(), .target = "/", .timeout = 50ms});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "no answer in time");
}

}  // namespace
}  // namespace cli::load
