#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/proxy_fixture.h"

// What comes on an idle connection while a request is put on it: both reach the worker with one epoll_wait, the request
// first.
namespace tests {
namespace {

using support::Exchange;
using support::FakeUpstream;
using support::Gate;
using support::HttpClient;
using ::testing::SizeIs;

// Also for signal handlers, which may post.
class Semaphore {
 public:
  Semaphore() { EXPECT_EQ(::sem_init(&semaphore_, 0, 0), 0); }
  ~Semaphore() { ::sem_destroy(&semaphore_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void post() { ::sem_post(&semaphore_); }
  void wait() {
    while (::sem_wait(&semaphore_) != 0) continue;  // EINTR
  }

 private:
  sem_t semaphore_;
};

// The only worker stands still, in a signal handler, from begin to end of this.
class PausedWorker {
 public:
  PausedWorker() {
    current = this;
    EXPECT_NE(::signal(SIGUSR1, [](int) { current->stand_still(); }), SIG_ERR);
    EXPECT_EQ(::syscall(SYS_tgkill, ::getpid(), worker(), SIGUSR1), 0);
    stands_.wait();
  }
  ~PausedWorker() {
    goes_on_.post();
    left_.wait();
  }
  PausedWorker(const PausedWorker&) = delete;
  PausedWorker& operator=(const PausedWorker&) = delete;

 private:
  static int worker() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      if (name == "worker") return std::stoi(task.path().filename());
    }
    return -1;
  }
  void stand_still() {
    stands_.post();
    goes_on_.wait();
    left_.post();
  }

  static PausedWorker* current;
  Semaphore stands_, goes_on_, left_;
};
PausedWorker* PausedWorker::current = nullptr;

// With messages that are sent together by one call, and without.
class ReusedConnection : public ProxyTest, public ::testing::WithParamInterface<bool> {
 protected:
  // The first connection answers one request, then does this while the second request is on its way.
  void meets(const std::function<void(Exchange&)>& event, const std::string& next_request) {
    Gate gate;
    Semaphore done;
    FakeUpstream& upstream = add_upstream([&](Exchange& exchange) {
      exchange.respond({.body = "connection " + std::to_string(exchange.request().connection) + "\n"});
      if (exchange.request().connection != 1) return;
      exchange.wait_for(gate);
      event(exchange);
      done.post();
    });
    if (!GetParam()) use_no_send_rings();
    start();
    HttpClient caller = client();
    EXPECT_EQ(caller.get("/", kHost).body.text, "connection 1\n");
    {
      const PausedWorker paused;
      caller.send(next_request);
      gate.open();
      done.wait();
    }
    const support::ClientResponse answer = caller.receive();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.body.text, "connection 2\n");
    EXPECT_THAT(upstream.requests(), SizeIs(2)) << "the first connection got one, and no second";
    EXPECT_EQ(upstream.requests()[1].body.text, next_request.starts_with("POST") ? "body" : "");
    log_line();
    const std::string line = log_line();
    EXPECT_EQ(member(line, "response_flags"), R"("-")") << line;
  }

  const std::string get_ = std::string("GET / HTTP/1.1\r\nHost: ") + kHost + "\r\n\r\n";
  const std::string post_ = std::string("POST / HTTP/1.1\r\nContent-Length: 4\r\nHost: ") + kHost + "\r\n\r\nbody";
};

TEST_P(ReusedConnection, ThatEndsBesideARequestIsNotWhatTheRequestGets) {
  meets([](Exchange& exchange) { exchange.close(); }, get_);
}

TEST_P(ReusedConnection, ThatIsResetBesideARequestIsNotWhatTheRequestGets) {
  meets([](Exchange& exchange) { exchange.reset(); }, get_);
}

TEST_P(ReusedConnection, ThatEndsBesideARequestGivesItsBodyBackToo) {
  meets([](Exchange& exchange) { exchange.close(); }, post_);
}

TEST_P(ReusedConnection, WhatWasSaidBeforeTheRequestIsNotItsAnswer) {
  meets([](Exchange& exchange) { exchange.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); }, get_);
}

INSTANTIATE_TEST_SUITE_P(Sending, ReusedConnection, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "Together" : "OneByOne"; });

}  // namespace
}  // namespace tests
