// The floor for a user-space proxy with two TCP hops: passes bytes on and looks at nothing. One thread, one upstream
// connection for each downstream one, one read and one send for each message (PERFORMANCE 1).
// usage: l4fwd LISTEN_ADDRESS:PORT UPSTREAM_ADDRESS:PORT
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "tests/bench/shell.h"

namespace {

constexpr std::size_t kReadBytes = 128UL * 1024;
std::array<char, kReadBytes> scratch;

struct Side {
  base::UniqueFd socket;
  Side* other = nullptr;
  std::string queue;  // what `socket` did not take yet
  bool is_readable = false;
  bool has_ended = false;  // its end has been passed on
};

struct Pair {
  Side downstream, upstream;
  bool is_closed = false;
};

// False: the connection is of no use any more.
bool flush(Side& to) {
  while (!to.queue.empty()) {
    const ssize_t sent = ::send(to.socket.get(), to.queue.data(), to.queue.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    to.queue.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

bool pass_on(Side& from) {
  Side& to = *from.other;
  while (from.is_readable && to.queue.empty()) {
    const ssize_t count = ::recv(from.socket.get(), scratch.data(), scratch.size(), 0);
    if (count < 0) {
      from.is_readable = false;
      return errno == EAGAIN;
    }
    if (count == 0) {
      from.is_readable = false;
      from.has_ended = true;
      ::shutdown(to.socket.get(), SHUT_WR);
      return !to.has_ended;
    }
    if (static_cast<std::size_t>(count) < scratch.size()) from.is_readable = false;  // drained
    ssize_t sent = ::send(to.socket.get(), scratch.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return false;
    if (sent < count) to.queue.assign(scratch.data() + (sent < 0 ? 0 : sent), scratch.data() + count);
  }
  return true;
}

void open_pair(base::UniqueFd downstream, const base::SocketAddress& target, int epoll) {
  base::UniqueFd upstream(::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(upstream.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage storage{};
  const socklen_t size = target.to_sockaddr(storage);
  if (::connect(upstream.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) return;
  auto* const pair = new Pair;  // until one of its sockets says it is over
  pair->downstream = {.socket = std::move(downstream), .other = &pair->upstream};
  pair->upstream = {.socket = std::move(upstream), .other = &pair->downstream};
  bench::watch(epoll, pair->downstream.socket.get(), &pair->downstream);
  bench::watch(epoll, pair->upstream.socket.get(), &pair->upstream);
}

// False: the pair is over.
bool on_event(Side& side, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) return false;
  // A FIN may share its edge with data, so after one it is read to the end.
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) side.is_readable = !side.has_ended;
  if ((events & EPOLLOUT) != 0 && !side.queue.empty()) {
    if (!flush(side)) return false;
    if (side.queue.empty() && !pass_on(*side.other)) return false;
  }
  return pass_on(side);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: l4fwd LISTEN_ADDRESS:PORT UPSTREAM_ADDRESS:PORT\n");
    return 2;
  }
  const base::SocketAddress target = bench::address_of(argv[2]);
  const base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const base::UniqueFd listener = bench::listen_at(bench::address_of(argv[1]), epoll.get());
  std::array<epoll_event, 256> events;
  std::vector<Pair*> over;
  for (;;) {
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      auto* const side = static_cast<Side*>(event.data.ptr);
      if (side == nullptr) {
        while (base::UniqueFd socket = bench::accept_from(listener.get()))
          open_pair(std::move(socket), target, epoll.get());
        continue;
      }
      // The downstream side is the first member.
      auto* const pair = reinterpret_cast<Pair*>(side->other < side ? side->other : side);
      if (pair->is_closed || on_event(*side, event.events)) continue;
      pair->is_closed = true;
      over.push_back(pair);
    }
    for (Pair* pair : over) delete pair;  // not before: an event of this batch may still name it
    over.clear();
  }
}
