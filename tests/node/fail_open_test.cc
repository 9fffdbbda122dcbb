// What happens when something is missing: connections pass, and nothing is left behind.
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <vector>

#include "tests/node/redirected_node.h"

namespace node {
namespace {

using base::SocketAddress;
using base::UniqueFd;

class FailOpen : public RedirectedNode {};

TEST_F(FailOpen, WithoutAListenerTheNextConnectGoesDirect) {
  stop_proxy();
  for (const SocketAddress& service : {kService4, kService6}) {
    const Seen seen = node_.see("app", [&] { return connect_plainly(service); });
    EXPECT_EQ(seen.error, 0);
    EXPECT_EQ(seen.peer.to_string(), service.to_string());
    EXPECT_EQ(who_was_reached(), "service");
  }
  EXPECT_EQ(count("no_listener"), 2U);
}

volatile sig_atomic_t was_told_to_end = 0;

TEST_F(FailOpen, ALoopingClientNeverFailsWhileListenersComeAndGo) {
  const UniqueFd service = listen_on(address("127.8.0.3:8080"), 4096);
  need(datapath_.set_destinations(std::array{address("127.8.0.3:8080")}));
  // Its exit code says whether every connect() was good.
  const pid_t client = node_.start("app", [] {
    ::signal(SIGTERM, [](int) { was_told_to_end = 1; });
    const SocketAddress destination = address("127.8.0.3:8080");
    while (was_told_to_end == 0) {
      const Seen seen = connect_plainly(destination);
      if (seen.error != 0) ::_exit(1);
    }
    ::_exit(0);
  });
  for (int round = 0; round < 20; ++round) {
    for (int taken = 0; taken < 5; ++taken) ASSERT_TRUE(accept_from(proxy4_)) << "round " << round;
    stop_proxy();
    for (int taken = 0; taken < 5; ++taken) ASSERT_TRUE(accept_from(service)) << "round " << round;
    start_proxy();
  }
  EXPECT_EQ(node_.stop(client), 0);
  EXPECT_GT(count("no_listener"), 0U);
}

// While no proxy runs, any program may listen on its port.
TEST_F(FailOpen, AStrangerOnTheProxysPortGetsNothing) {
  stop_proxy();
  proxy4_ = listen_on(address("127.0.0.1:15001"));  // not registered
  const Seen seen = node_.see("app", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
  EXPECT_EQ(who_was_reached(), "service");
  EXPECT_EQ(count("no_listener"), 1U);
}

TEST_F(FailOpen, AListenerInAnotherNetworkNamespaceDoesNotCount) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    if (::unshare(CLONE_NEWNET) != 0) return {errno, {}};
    return connect_plainly(kService4);
  });
  EXPECT_EQ(seen.error, ENETUNREACH);  // its own loopback is down: it was not redirected
  EXPECT_EQ(count("no_listener"), 1U);
}

TEST_F(FailOpen, AConnectionToTheProxysPortItselfHasNoRecord) {
  node_.see("app", [] { return connect_plainly(address("127.0.0.1:15001")); });
  const UniqueFd connection = accept_from(proxy4_);
  ASSERT_TRUE(connection);
  EXPECT_EQ(record_of(connection), std::nullopt);
  EXPECT_EQ(original_dst_of(connection, AF_INET), std::nullopt);
}

// The record does not go with the caller: it may be gone before the proxy looks.
TEST_F(FailOpen, ACallerThatSendsAndClosesAtOnceIsKnown) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket();
    if (const int error = connect_to(socket, kService4)) return {error, {}};
    const linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    return {::send(socket.get(), "hello", 5, 0) == 5 ? 0 : errno, {}};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
}

TEST_F(FailOpen, TheRecordStaysAsLongAsTheConnection) {
  node_.see("app", [&] { return connect_plainly(kService4); });
  const UniqueFd connection = accept_from(proxy4_);
  node_.see("app", [&] { return connect_plainly(kService6); });
  for (int i = 0; i < 2; ++i) EXPECT_EQ(record_of(connection), (Record{kService4, app_}));
}

// A socket that was redirected and reset may be used again for something else.
TEST_F(FailOpen, ASocketThatConnectsAgainShowsItsNewPeer) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket();
    if (const int error = connect_to(socket, kService4)) return {error, {}};
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    if (::connect(socket.get(), &nobody, sizeof nobody) != 0) return {errno, {}};
    return {connect_to(socket, kOther4), peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kOther4.to_string());
  EXPECT_EQ(who_was_reached(), "both");
}

// connect() fails after it was redirected and before its SYN: all local ports are taken.
TEST_F(FailOpen, AConnectThatFailsEarlyLeavesNothing) {
  std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40000 40001" << std::flush;
  const Seen seen = node_.see("app", [&]() -> Seen {
    std::vector<UniqueFd> sockets;
    for (int i = 0; i < 10; ++i) {
      sockets.push_back(tcp_socket());
      if (const int error = connect_to(sockets.back(), kService4)) return {error, peer_of(sockets.back())};
    }
    return {};
  });
  EXPECT_EQ(seen.error, EADDRNOTAVAIL);
  EXPECT_EQ(seen.peer, SocketAddress());
  EXPECT_EQ(handshakes(), 0U);
}

// With a full accept queue handshakes stay open: those hold places until they are through or given up.
class FullTable : public testing::Test {
 protected:
  static agent::Datapath::Options small_table(Node& node) {
    auto options = node.options();
    options.max_handshakes = 2;
    return options;
  }

  Node node_;
  agent::Datapath datapath_ = need(agent::Datapath::open(small_table(node_)));
};

TEST_F(FullTable, LetsConnectionsPassAndCountsThem) {
  const SocketAddress kService = address("127.8.0.1:8080");
  const UniqueFd service = listen_on(kService);
  const UniqueFd proxy = listen_on(address("127.0.0.1:15001"), 0);
  need(datapath_.attach_proxy(node_.cgroup("proxy")));
  need(datapath_.register_listener(proxy.get()));
  need(datapath_.set_destinations(std::array{kService}));
  const std::uint64_t app = need(datapath_.attach_workload(node_.cgroup("app")));
  const auto handshakes = [&] { return datapath_.map_use().back().entries; };

  const Seen seen = node_.see("app", [&]() -> Seen {
    std::vector<UniqueFd> sockets;
    while (sockets.size() < 100) {
      sockets.push_back(tcp_socket(AF_INET, SOCK_NONBLOCK));
      const int error = connect_to(sockets.back(), kService);
      if (error != 0 && error != EINPROGRESS) return {error, {}};
      if (has_connection(service)) return {0, peer_of(sockets.back())};
    }
    return {ENOBUFS, {}};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer, kService);
  EXPECT_TRUE(has_connection(service));
  const auto verdicts = need(datapath_.verdicts());
  for (const auto& verdict : verdicts) {
    if (verdict.reason == "map_full") EXPECT_GT(verdict.count, 0U);
    if (verdict.reason == "handoff") EXPECT_EQ(verdict.count, 0U);
  }
  // The caller is gone, its handshakes with it; what was established is known.
  EXPECT_EQ(handshakes(), 0U);
  EXPECT_EQ(record_of(accept_from(proxy)), (Record{kService, app}));
}

}  // namespace
}  // namespace node
