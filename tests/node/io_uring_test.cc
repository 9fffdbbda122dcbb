#include <liburing.h>

#include <cerrno>

#include "tests/node/redirected_node.h"

namespace node {
namespace {

class IoUring : public RedirectedNode {};

// As a program does that never calls connect(): the kernel may do it later on a thread of its own.
Seen connect_by_ring(const base::SocketAddress& destination, unsigned flags) {
  io_uring ring{};
  if (const int error = ::io_uring_queue_init(4, &ring, 0)) return {-error, {}};
  const base::UniqueFd socket = tcp_socket(destination.family());
  sockaddr_storage storage{};
  const socklen_t size = destination.to_sockaddr(storage);
  io_uring_sqe* request = ::io_uring_get_sqe(&ring);
  ::io_uring_prep_connect(request, socket.get(), reinterpret_cast<sockaddr*>(&storage), size);
  ::io_uring_sqe_set_flags(request, flags);
  ::io_uring_submit(&ring);
  io_uring_cqe* reply = nullptr;
  __kernel_timespec patience{.tv_sec = kPatience.count(), .tv_nsec = 0};
  const int waited = ::io_uring_wait_cqe_timeout(&ring, &reply, &patience);
  const Seen seen{waited != 0 ? -waited : -reply->res, peer_of(socket)};
  ::io_uring_queue_exit(&ring);
  return seen;
}

TEST_F(IoUring, ConnectsAreTakenAtOnceOrOnAWorkerThread) {
  for (const unsigned flags : {0U, static_cast<unsigned>(IOSQE_ASYNC)}) {
    const Seen seen = node_.see("app/nested", [&] { return connect_by_ring(kService4, flags); });
    EXPECT_EQ(seen.error, 0);
    EXPECT_EQ(seen.peer.to_string(), kService4.to_string());
    EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  }
  EXPECT_EQ(count("-"), 2U);
}

}  // namespace
}  // namespace node
