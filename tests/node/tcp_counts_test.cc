// What the kernel part counts of connections that pass, with real connections.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "base/clock.h"
#include "tests/node/redirected_node.h"

namespace node {
namespace {

using base::UniqueFd;
using TcpUse = agent::Datapath::TcpUse;

std::uint64_t samples(const TcpUse& use) { return std::accumulate(use.rtt.begin(), use.rtt.end(), std::uint64_t{0}); }

// The kernel counts the FIN of each direction as a byte.
testing::AssertionResult is_about(std::uint64_t counted, std::uint64_t bytes) {
  if (counted == bytes || counted == bytes + 1) return testing::AssertionSuccess();
  return testing::AssertionFailure() << counted << " instead of " << bytes;
}

bool send_all(const UniqueFd& socket, std::size_t size) {
  const std::string bytes(size, 'x');
  for (std::size_t sent = 0; sent < size;) {
    const ssize_t more = ::send(socket.get(), bytes.data() + sent, size - sent, MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += static_cast<std::size_t>(more);
  }
  return true;
}

// False when the peer ended, or stayed silent, before.
bool receive_all(const UniqueFd& socket, std::size_t size) {
  std::array<char, 65536> buffer;
  for (std::size_t received = 0; received < size;) {
    if (!wait_for(socket, POLLIN)) return false;
    const ssize_t more = ::recv(socket.get(), buffer.data(), std::min(buffer.size(), size - received), 0);
    if (more <= 0) return false;
    received += static_cast<std::size_t>(more);
  }
  return true;
}

void reset(UniqueFd socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

class TcpCounts : public RedirectedNode {
 protected:
  TcpCounts() { need(datapath_.count_tcp(true)); }

  [[nodiscard]] TcpUse use_of(std::uint64_t cgroup) const {
    for (const TcpUse& use : datapath_.tcp_use()) {
      if (use.cgroup_id == cgroup) return use;
    }
    ADD_FAILURE() << "nothing is said of cgroup " << cgroup;
    return {};
  }
  [[nodiscard]] TcpUse use() const { return use_of(app_); }

  template <typename Condition>
  [[nodiscard]] bool becomes(Condition condition) const {
    const auto deadline = base::now() + kPatience;
    while (!condition(use())) {
      if (base::now() >= deadline) return false;
      ::poll(nullptr, 0, 1);
    }
    return true;
  }
};

TEST_F(TcpCounts, CountsBytesAndRoundTripsOfAConnectionThatPasses) {
  constexpr std::size_t kThere = 300'000, kBack = 20'000;
  int status = -1;
  std::thread server([&] {
    const UniqueFd socket = accept_from(other4_);
    status = receive_all(socket, kThere) && send_all(socket, kBack) && !receive_all(socket, 1) ? 0 : 1;
  });
  EXPECT_EQ(node_.run("app",
                      [&] {
                        const UniqueFd socket = tcp_socket();
                        if (connect_to(socket, kOther4) != 0) return 1;
                        return send_all(socket, kThere) && receive_all(socket, kBack) ? 0 : 2;
                      }),
            0);
  server.join();
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.sent_bytes >= kThere && use.received_bytes >= kBack; }));
  EXPECT_TRUE(is_about(use().sent_bytes, kThere));
  EXPECT_TRUE(is_about(use().received_bytes, kBack));
  EXPECT_GT(samples(use()), 0U);
  EXPECT_GT(use().rtt_sum_us, 0U);
  EXPECT_EQ(use().resets, 0U);
}

TEST_F(TcpCounts, CountsALongConnectionWhileItLasts) {
  constexpr std::size_t kBytes = 100'000;
  const pid_t caller = node_.start("app", [&] {
    const UniqueFd socket = tcp_socket();
    if (connect_to(socket, kOther4) != 0 || !send_all(socket, kBytes)) ::_exit(1);
    ::pause();
  });
  const UniqueFd socket = accept_from(other4_);
  ASSERT_TRUE(receive_all(socket, kBytes));
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.sent_bytes == kBytes; }));
  EXPECT_EQ(use().resets, 0U);
  node_.stop(caller);
}

TEST_F(TcpCounts, CountsResetsByEitherSide) {
  const auto connect_and_wait = [&] {
    const UniqueFd socket = tcp_socket();
    return connect_to(socket, kOther4) == 0 && !receive_all(socket, 1) ? 0 : 1;
  };
  std::thread peer([&] { reset(accept_from(other4_)); });
  EXPECT_EQ(node_.run("app", connect_and_wait), 0);
  peer.join();
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.resets == 1; }));

  EXPECT_EQ(node_.run("app",
                      [&] {
                        UniqueFd socket = tcp_socket();
                        if (connect_to(socket, kOther4) != 0) return 1;
                        reset(std::move(socket));
                        return 0;
                      }),
            0);
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.resets == 2; }));
}

TEST_F(TcpCounts, DoesNotCountARefusedConnectionAsReset) {
  EXPECT_EQ(node_.run("app", [&] { return connect_to(tcp_socket(), address("127.8.0.2:9")) == ECONNREFUSED ? 0 : 1; }),
            0);
  EXPECT_EQ(use().resets, 0U);
  EXPECT_EQ(use().sent_bytes, 0U);
}

// The kernel drops a SYN when the listener's queue is full, and sends it again a second later.
TEST_F(TcpCounts, CountsASegmentThatIsSentAgain) {
  const UniqueFd full = listen_on(address("127.8.0.3:80"), 0);
  std::vector<UniqueFd> waiting;
  do {
    waiting.push_back(tcp_socket(AF_INET, SOCK_NONBLOCK));
    connect_to(waiting.back(), address("127.8.0.3:80"));
  } while (wait_for(waiting.back(), POLLOUT, std::chrono::milliseconds(50)));
  EXPECT_EQ(use().retransmits, 0U);
  const pid_t caller = node_.start("app", [&] { connect_to(tcp_socket(), address("127.8.0.3:80")); });
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.retransmits >= 1; }));
  node_.stop(caller);
}

TEST_F(TcpCounts, DoesNotCountTheWayToTheProxy) {
  std::thread proxy([&] {
    UniqueFd socket = accept_from(proxy4_);
    receive_all(socket, 1000);
    reset(std::move(socket));
  });
  EXPECT_EQ(node_.run("app",
                      [&] {
                        const UniqueFd socket = tcp_socket();
                        return connect_to(socket, kService4) == 0 && send_all(socket, 1000) ? 0 : 1;
                      }),
            0);
  proxy.join();
  EXPECT_EQ(use().sent_bytes, 0U);
  EXPECT_EQ(samples(use()), 0U);
  EXPECT_EQ(use().resets, 0U);
}

TEST_F(TcpCounts, CountsNothingWhenSwitchedOff) {
  need(datapath_.count_tcp(false));
  std::thread peer([&] { reset(accept_from(other4_)); });
  EXPECT_EQ(node_.run("app",
                      [&] {
                        const UniqueFd socket = tcp_socket();
                        return connect_to(socket, kOther4) == 0 && !receive_all(socket, 1) ? 0 : 1;
                      }),
            0);
  peer.join();
  EXPECT_EQ(samples(use()), 0U);
  EXPECT_EQ(use().resets, 0U);
}

TEST_F(TcpCounts, CountsForTheNearestCgroupThatHasOptedIn) {
  const std::uint64_t inner = need(datapath_.attach_workload(node_.cgroup("app/inner")));
  node_.cgroup("app/inner/task");
  std::thread peer([&] { receive_all(accept_from(other4_), 500); });
  EXPECT_EQ(node_.run("app/inner/task",
                      [&] {
                        const UniqueFd socket = tcp_socket();
                        return connect_to(socket, kOther4) == 0 && send_all(socket, 500) ? 0 : 1;
                      }),
            0);
  peer.join();
  EXPECT_TRUE(becomes([&](const TcpUse&) { return use_of(inner).sent_bytes >= 500; }));
  EXPECT_EQ(use().sent_bytes, 0U);
  EXPECT_EQ(samples(use()), 0U);
}

TEST_F(TcpCounts, GoesOnWithTheNextAgent) {
  std::thread peer([&] { receive_all(accept_from(other4_), 500); });
  const auto send = [&] {
    const UniqueFd socket = tcp_socket();
    return connect_to(socket, kOther4) == 0 && send_all(socket, 500) ? 0 : 1;
  };
  EXPECT_EQ(node_.run("app", send), 0);
  peer.join();
  EXPECT_TRUE(becomes([](const TcpUse& use) { return use.sent_bytes >= 500; }));
  const TcpUse before = use();
  datapath_ = need(agent::Datapath::open(node_.options()));
  need(datapath_.attach_workload(node_.cgroup("app")));
  EXPECT_EQ(use().sent_bytes, before.sent_bytes);
}

}  // namespace
}  // namespace node
