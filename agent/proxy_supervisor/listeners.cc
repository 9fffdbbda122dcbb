#include "agent/proxy_supervisor/listeners.h"

#include <sys/socket.h>

namespace agent {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

}  // namespace

base::Result<std::vector<base::UniqueFd>> make_listeners(const base::SocketAddress& address, std::uint32_t count) {
  std::vector<base::UniqueFd> sockets;
  sockaddr_storage storage;
  for (std::uint32_t i = 0; i < count; ++i) {
    const socklen_t size = address.to_sockaddr(storage);
    base::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return base::fail_errno("socket");
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.family() == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
      return base::fail_errno("listen on " + address.to_string());
    }
    if (::listen(socket.get(), kBacklog) != 0) return base::fail_errno("listen on " + address.to_string());
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

}  // namespace agent
