#include "proxy/listener/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/listener/original_destination.h"
#include "proxy/worker.h"

namespace proxy {

void Listener::accept_all() {
  for (;;) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    base::UniqueFd socket(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;  // EAGAIN: all taken; no descriptors left: the next connection is another edge
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

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
  }
}

}  // namespace proxy
