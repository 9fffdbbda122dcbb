// What becomes of a real connect() by each kind of socket.
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/datapath/cgroup_visit.h"
#include "base/mounts.h"
#include "tests/node/redirected_node.h"

namespace node {
namespace {

using base::SocketAddress;
using base::UniqueFd;

class Redirect : public RedirectedNode {};

TEST_F(Redirect, TakesAConnectionToTheProxyAndShowsTheCallerItsDestination) {
  const Seen seen = node_.see("app", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());

  const UniqueFd connection = accept_from(proxy4_);
  ASSERT_TRUE(connection);
  EXPECT_EQ(record_of(connection), (Record{kService4, app_}));
  EXPECT_EQ(original_dst_of(connection, AF_INET), kService4);
  EXPECT_EQ(count("-"), 1U);
  EXPECT_EQ(count("handoff"), 0U);
  EXPECT_EQ(handshakes(), 0U);
}

TEST_F(Redirect, TakesIpv6) {
  const Seen seen = node_.see("app", [&] { return connect_plainly(kService6); });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService6.to_string());

  const UniqueFd connection = accept_from(proxy6_);
  ASSERT_TRUE(connection);
  EXPECT_EQ(record_of(connection), (Record{kService6, app_}));
  EXPECT_EQ(original_dst_of(connection, AF_INET6), kService6);
  EXPECT_EQ(count("-"), 1U);
  EXPECT_EQ(handshakes(), 0U);
}

// An IPv6 socket that connects to ::ffff:127.8.0.1, as Java and Go do.
TEST_F(Redirect, TakesV4MappedSockets) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket(AF_INET6);
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons(kService4.port);
    std::copy(kService4.ip.bytes.begin(), kService4.ip.bytes.end(), mapped.sin6_addr.s6_addr);
    const int error = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&mapped), sizeof mapped) == 0 ? 0 : errno;
    return {error, peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());

  const UniqueFd connection = accept_from(proxy4_);
  ASSERT_TRUE(connection);
  EXPECT_EQ(record_of(connection), (Record{kService4, app_}));
  EXPECT_EQ(original_dst_of(connection, AF_INET), kService4);
}

TEST_F(Redirect, PassesWhatIsExcludedFromTheNextConnectionOn) {
  const auto reached = [&](const SocketAddress& service) {
    node_.see("app", [&] { return connect_plainly(service); });
    return who_was_reached();
  };
  need(datapath_.exclude(app_, {.ports = {}, .cidrs = {{kService4.ip, 128}}}));
  EXPECT_EQ(reached(kService4), "service");
  EXPECT_EQ(reached(kService6), "proxy");
  EXPECT_EQ(count("excluded"), 1U);
  need(datapath_.exclude(app_, {.ports = {{8000, 8100}}, .cidrs = {}}));
  EXPECT_EQ(reached(kService4), "service");
  EXPECT_EQ(reached(kService6), "service");
  need(datapath_.exclude(app_, {}));
  EXPECT_EQ(reached(kService4), "proxy");
  need(datapath_.exclude(app_, {.ports = {{8080, 8080}}, .cidrs = {}}));
  need(datapath_.detach_workload(app_));
  need(datapath_.attach_workload(node_.cgroup("app")));
  EXPECT_EQ(reached(kService4), "proxy") << "of an earlier attachment";
}

// The agent's way: it makes the listeners in the proxy's cgroup without living there.
TEST_F(Redirect, ListenersMadeOnAVisitBelongToTheProxysCgroup) {
  stop_proxy();
  need(datapath_.attach_proxy(node_.cgroup("visited")));
  const auto mount = base::find_cgroup2(base::read_mountinfo());
  {
    const auto visit = need(agent::CgroupVisit::enter(*mount, node_.cgroup("visited")));
    start_proxy();
  }
  node_.see("app", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  node_.remove_cgroup("visited");  // nobody is left in it
}

TEST_F(Redirect, LeavesOtherDestinationsAlone) {
  for (const char* text : {"127.8.0.2:8080", "127.8.0.1:8081"}) {
    const SocketAddress destination = address(text);
    const UniqueFd listener = destination == kOther4 ? UniqueFd() : listen_on(destination);
    const Seen seen = node_.see("app", [&] { return connect_plainly(destination); });
    EXPECT_EQ(seen.error, 0);
    EXPECT_EQ(seen.peer.to_string(), text);
    EXPECT_FALSE(has_connection(proxy4_));
  }
  EXPECT_EQ(count("not_a_service"), 2U);
}

TEST_F(Redirect, LeavesOtherCgroupsAlone) {
  const Seen seen = node_.see("bystander", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(who_was_reached(), "service");
  for (const auto& verdict : need(datapath_.verdicts())) EXPECT_EQ(verdict.count, 0U) << verdict.reason;
}

TEST_F(Redirect, ReportsTheCgroupThatOptedInForANestedOne) {
  const Seen seen = node_.see("app/nested/deeper", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
}

TEST_F(Redirect, OfTwoNestedCgroupsThatOptedInTheInnerOneCounts) {
  const std::uint64_t inner = need(datapath_.attach_workload(node_.cgroup("app/inner")));
  for (const SocketAddress& service : {kService4, kService6}) {
    const Seen seen = node_.see("app/inner", [&] { return connect_plainly(service); });
    EXPECT_EQ(seen.peer.to_string(), service.to_string());
    EXPECT_EQ(record_of(accept_from(service == kService4 ? proxy4_ : proxy6_)), (Record{service, inner}));
  }
  EXPECT_EQ(count("-"), 2U);
  EXPECT_EQ(count("not_a_service"), 0U);
  EXPECT_EQ(handshakes(), 0U);
}

TEST_F(Redirect, TellsWorkloadsApart) {
  const std::uint64_t other = need(datapath_.attach_workload(node_.cgroup("other")));
  ASSERT_NE(other, app_);
  node_.see("other", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, other}));
  node_.see("app", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
}

Seen connect_from(const SocketAddress& source, const SocketAddress& destination, UniqueFd& socket) {
  socket = tcp_socket(source.family());
  sockaddr_storage storage{};
  const socklen_t size = source.to_sockaddr(storage);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return {errno, {}};
  return {connect_to(socket, destination), peer_of(socket)};
}

TEST_F(Redirect, TakesSocketsThatAreBoundToAnAddressOfTheNode) {
  add_to_loopback("10.88.0.1");
  struct Case {
    const char* source;
    const SocketAddress& destination;
    const UniqueFd& proxy;
  };
  for (const auto& [source, destination, proxy] :
       {Case{"10.88.0.1:4711", kService4, proxy4_}, Case{"[fd00:8::1]:4711", kService6, proxy6_}}) {
    const Seen seen = node_.see("app", [&] {
      UniqueFd socket;
      return connect_from(address(source), destination, socket);
    });
    EXPECT_EQ(seen.error, 0) << source;
    EXPECT_EQ(seen.peer.to_string(), destination.to_string());
    const UniqueFd connection = accept_from(proxy);
    EXPECT_EQ(peer_of(connection).to_string(), source);
    EXPECT_EQ(record_of(connection), (Record{destination, app_}));
  }
}

// Two sockets may use one port with different addresses: each is known by both.
TEST_F(Redirect, TellsCallersApartThatUseTheSamePort) {
  const SocketAddress kOtherService = address("127.8.0.9:80");
  need(datapath_.set_destinations(std::array{kService4, kOtherService}));
  const Seen seen = node_.see("app", [&] {
    UniqueFd first;
    UniqueFd second;
    const Seen one = connect_from(address("127.7.0.1:4711"), kService4, first);
    return one.error != 0 ? one : connect_from(address("127.7.0.2:4711"), kOtherService, second);
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kOtherService, app_}));
}

TEST_F(Redirect, LetsSocketsThatAreBoundToADevicePass) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket();
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0) return {errno, {}};
    return {connect_to(socket, kService4), peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(who_was_reached(), "service");
  EXPECT_EQ(count("bound_to_device"), 1U);
}

TEST_F(Redirect, TakesNonBlockingConnects) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket(AF_INET, SOCK_NONBLOCK);
    if (const int error = connect_to(socket, kService4); error != EINPROGRESS) return {error, {}};
    if (!wait_for(socket, POLLOUT)) return {ETIMEDOUT, {}};
    // Asking again is how some programs learn of the outcome.
    return {connect_to(socket, kService4), peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  EXPECT_EQ(count("-"), 1U);
}

TEST_F(Redirect, TakesFastOpenBySendto) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket = tcp_socket();
    sockaddr_storage storage{};
    const socklen_t size = kService4.to_sockaddr(storage);
    if (::sendto(socket.get(), "hello", 5, MSG_FASTOPEN, reinterpret_cast<sockaddr*>(&storage), size) != 5) {
      return {errno, {}};
    }
    return {0, peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
  const UniqueFd connection = accept_from(proxy4_);
  EXPECT_EQ(record_of(connection), (Record{kService4, app_}));
  char text[8];
  EXPECT_EQ(::recv(connection.get(), text, sizeof text, 0), 5);
}

// With TCP_FASTOPEN_CONNECT the SYN leaves at the first write, and with a cookie it carries that write.
TEST_F(Redirect, TakesFastOpenByConnect) {
  const int queue = 16;
  ASSERT_EQ(::setsockopt(proxy4_.get(), IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue), 0);
  for (int round = 0; round < 2; ++round) {  // the first brings the cookie
    const Seen seen = node_.see("app", [&]() -> Seen {
      const UniqueFd socket = tcp_socket();
      const int on = 1;
      if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0) return {errno, {}};
      if (const int error = connect_to(socket, kService4)) return {error, {}};
      if (::send(socket.get(), "hello", 5, 0) != 5) return {errno, {}};
      return {0, peer_of(socket)};
    });
    EXPECT_EQ(seen.error, 0);
    EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
    EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_})) << "round " << round;
  }
  EXPECT_EQ(handshakes(), 0U);
}

TEST_F(Redirect, LetsMptcpPass) {
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
    if (!socket) return {errno, {}};
    return {connect_to(socket, kService4), peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
  EXPECT_EQ(who_was_reached(), "service");
  EXPECT_EQ(count("mptcp"), 1U);
  EXPECT_EQ(count("-"), 0U);
}

TEST_F(Redirect, TakesPlainTcpOfAProgramThatUsesMptcpToo) {
  const Seen seen = node_.see("app", [&] {
    const UniqueFd mptcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
    return connect_plainly(kService4);
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
}

TEST_F(Redirect, LeavesUdpOnTheSameAddressAndPortAlone) {
  const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t size = kService4.to_sockaddr(storage);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
  const Seen seen = node_.see("app", [&]() -> Seen {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (const int error = connect_to(socket, kService4)) return {error, {}};
    return {::send(socket.get(), "hello", 5, 0) == 5 ? 0 : errno, peer_of(socket)};
  });
  EXPECT_EQ(seen.error, 0);
  EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
  EXPECT_TRUE(wait_for(server, POLLIN));
  EXPECT_EQ(count("not_tcp"), 1U);
  EXPECT_EQ(count("-"), 0U);
}

}  // namespace
}  // namespace node
