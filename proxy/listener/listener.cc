#include "proxy/listener/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/listener/original_destination.h"
#include "proxy/worker.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{20};
constexpr int kAcceptsPerTurn = 64;  // then those that are connected already have their turn

}  // namespace

Listener::Listener(Worker& worker, base::UniqueFd socket, std::optional<ListenerSpec::Fixed> fixed)
    : worker_(worker),
      socket_(std::move(socket)),
      fixed_(std::move(fixed)),
      retry_(engine::Timer::calling<&Listener::accept_again>(*this)) {
  const int on = 1;  // what it accepts inherits it
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Listener::accept_all() {
  while (accept_one()) {
  }
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
  worker_.loop().defer_to_next_turn(*this);
}

// The edge is used up and the connection still waits: nobody else would look again.
void Listener::accept_later() {
  worker_.telemetry().on_socket_shortage();
  worker_.loop().timers().arm(retry_, worker_.loop().now() + kRetryAfter);
}

bool Listener::accept_one() {
  if (!worker_.has_room()) {
    accept_later();
    return false;
  }
  for (;;) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    base::UniqueFd socket(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return false;
      accept_later();
      return false;
    }
    Downstream::Accepted accepted;
    accepted.peer = base::SocketAddress::from_sockaddr(storage);
    accepted.is_fixed = fixed_.has_value();
    if (fixed_) {
      accepted.original_destination = fixed_->original_destination;
      accepted.passthrough = fixed_->passthrough.value_or(fixed_->original_destination);
      accepted.source = &worker_.source_of_pod(fixed_->pod);
    } else {
      const auto record = original_destination(socket.get());
      if (!record) {  // not redirected: somebody connected to the listener itself, or the kernel part is gone
        worker_.telemetry().on_original_destination_miss();
        continue;
      }
      accepted.original_destination = accepted.passthrough = record->address;
      accepted.source = &worker_.source_of_cgroup(record->cgroup_id);
    }
    accepted.socket = std::move(socket);
    worker_.accept(std::move(accepted));
    return true;
  }
}

}  // namespace proxy
