#include "tests/support/unanswering_listener.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <utility>

namespace tests::support {

UnansweringListener::UnansweringListener() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      listen(listener_.get(), 0) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    throw std::runtime_error("unanswering listener");
  }
  address_ = base::SocketAddress::from_sockaddr(storage);
  // Fill the queue until a connect stays without an answer for longer than loopback ever takes.
  for (int is_connected = 1; is_connected == 1;) {
    base::UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    static_cast<void>(connect(client.get(), reinterpret_cast<const sockaddr*>(&storage), size));  // in progress
    pollfd entry{.fd = client.get(), .events = POLLOUT};
    is_connected = poll(&entry, 1, 100);
    queued_.push_back(std::move(client));
  }
}

}  // namespace tests::support
