#include "proxy/engine/send_ring.h"

#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace proxy::engine {
namespace {

void close_ring(io_uring* ring) {
  ::io_uring_queue_exit(ring);
  delete ring;
}

// liburing 2.3, Debian 12's, declares functions for these two calls and does not export them.
int register_at(const io_uring& ring, unsigned what, void* argument, unsigned count) {
  return ::syscall(SYS_io_uring_register, ring.ring_fd, what, argument, count) < 0 ? -errno : 0;
}

}  // namespace

int open_send_ring(unsigned entries, io_uring& ring) {
  io_uring_params params{};
  params.flags = IORING_SETUP_R_DISABLED;  // as long as it is, restrictions can be set, and afterwards never again
  if (const int error = ::io_uring_queue_init_params(entries, &ring, &params); error != 0) return error;
  io_uring_restriction only_send{};
  only_send.opcode = IORING_RESTRICTION_SQE_OP;
  only_send.sqe_op = IORING_OP_SEND;
  int error = register_at(ring, IORING_REGISTER_RESTRICTIONS, &only_send, 1);
  if (error == 0) error = register_at(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (error != 0) ::io_uring_queue_exit(&ring);
  return error;
}

base::Result<std::unique_ptr<SendRing>> SendRing::create() {
  auto ring = std::make_unique<io_uring>();
  if (const int error = open_send_ring(kEntries, *ring); error != 0) {
    return base::fail(base::Errc::unavailable, std::string("io_uring: ") + std::strerror(-error));
  }
  std::unique_ptr<SendRing> created(new SendRing);
  created->ring_ = {ring.release(), close_ring};
  return created;
}

SendRing::~SendRing() = default;

void SendRing::add(int socket, std::string_view bytes, std::size_t id) {
  io_uring_sqe* const entry = ::io_uring_get_sqe(ring_.get());
  ::io_uring_prep_send(entry, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  entry->user_data = id;
  ++added_;
}

std::span<const SendRing::Sent> SendRing::send_all() {
  const unsigned submitted = submit(std::exchange(added_, 0));
  // None of them waits for anything, so that all are done already; else this waits for them.
  io_uring_cqe* entry = nullptr;
  while (submitted > 0 && ::io_uring_wait_cqe_nr(ring_.get(), &entry, submitted) == -EINTR) {
  }
  unsigned count = 0;
  unsigned head = 0;
  io_uring_for_each_cqe(ring_.get(), head, entry) { sent_[count++] = {.id = entry->user_data, .result = entry->res}; }
  ::io_uring_cq_advance(ring_.get(), count);
  return {sent_.data(), count};
}

// Returns how many the kernel has taken. It may stop half-way for want of memory; what it has not taken stays in the
// ring and would be sent with what comes next.
unsigned SendRing::submit(unsigned count) {
  unsigned submitted = 0;
  while (submitted < count && !is_broken_) {
    const int taken = ::io_uring_submit(ring_.get());
    if (taken > 0) submitted += static_cast<unsigned>(taken);
    is_broken_ = taken <= 0 && taken != -EINTR;
  }
  return submitted;
}

}  // namespace proxy::engine
