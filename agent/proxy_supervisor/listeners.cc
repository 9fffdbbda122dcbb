#include "agent/proxy_supervisor/listeners.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace agent {
namespace {

using base::Result;
using base::UniqueFd;

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

// Only system calls: also runs in a child of a process with threads. -1: errno says why.
int listen_on(const sockaddr_storage& address, socklen_t size) {
  const int socket = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.ss_family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0 && ::listen(socket, kBacklog) == 0) {
    return socket;
  }
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

// One byte of payload is errno, a descriptor comes with it when that is 0. Only system calls.
void hand_over(int channel, int socket, int error_number) {
  auto payload = static_cast<unsigned char>(error_number);
  iovec part{&payload, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (socket >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &socket, sizeof socket);
  }
  ::sendmsg(channel, &message, MSG_NOSIGNAL);
}

Result<UniqueFd> take_over(int channel) {
  unsigned char payload = 0;
  iovec part{&payload, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) return base::fail_errno("listen", ECHILD);
  if (payload != 0) return base::fail_errno("listen", payload);
  int socket = -1;
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&message); rights != nullptr) {
    std::memcpy(&socket, CMSG_DATA(rights), sizeof socket);
  }
  return UniqueFd(socket);
}

Result<std::vector<UniqueFd>> make_in_cgroup(const sockaddr_storage& address, socklen_t size, std::uint32_t count,
                                             const std::string& cgroup) {
  const UniqueFd processes(::open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!processes) return base::fail_errno("open " + cgroup + "/cgroup.procs");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return base::fail_errno("socketpair");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return base::fail_errno("fork");
  if (child == 0) {
    const bool has_moved = ::write(processes.get(), "0", 1) == 1;
    for (std::uint32_t i = 0; i < count; ++i) {
      const int socket = has_moved ? listen_on(address, size) : -1;
      hand_over(theirs.get(), socket, socket < 0 ? errno : 0);
    }
    ::_exit(0);
  }
  theirs.reset();
  std::vector<UniqueFd> sockets;
  Result<> outcome;
  while (sockets.size() < count) {
    auto socket = take_over(ours.get());
    if (!socket) {
      outcome = tl::unexpected(socket.error());
      break;
    }
    sockets.push_back(std::move(*socket));
  }
  ::waitpid(child, nullptr, 0);
  if (!outcome) return tl::unexpected(outcome.error());
  return sockets;
}

}  // namespace

Result<std::vector<UniqueFd>> make_listeners(const base::SocketAddress& address, std::uint32_t count,
                                             const std::string& cgroup) {
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  const auto because = [&](std::string why) {
    return base::fail(base::Errc::io, "listen on " + address.to_string() + ": " + why);
  };
  if (!cgroup.empty()) {
    auto made = make_in_cgroup(storage, size, count, cgroup);
    if (!made) return because(made.error().message);
    return made;
  }
  std::vector<UniqueFd> sockets;
  for (std::uint32_t i = 0; i < count; ++i) {
    UniqueFd socket(listen_on(storage, size));
    if (!socket) return because(std::strerror(errno));
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

}  // namespace agent
