#include "tests/bench/shell.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace bench {

void watch(int epoll, int fd, void* data) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = data;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
}

base::UniqueFd listen_at(const base::SocketAddress& address, int epoll) {
  base::UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) give_up("bind");
  if (::listen(socket.get(), 4096) != 0) give_up("listen");
  watch(epoll, socket.get(), nullptr);
  return socket;
}

base::UniqueFd accept_from(int listener) {
  for (;;) {
    base::UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket && errno == ECONNABORTED) continue;
    if (!socket && errno != EAGAIN) give_up("accept");
    const int on = 1;
    if (socket) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
}

}  // namespace bench
