#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"

struct io_uring;  // NOLINT(readability-identifier-naming): liburing.h

namespace proxy::engine {

// Sends that the kernel does one after the other in one call (io_uring): the way in and out is paid once, and nobody
// whom one of them wakes takes the processor before the last. A quarter of a request of 1 KiB.
// A ring can do nothing else. It is restricted to IORING_OP_SEND when it is made (Linux 5.10), for good, so that it is
// no way around the sandbox; it has to be made before that is entered. May be made on one thread and used on another.
class SendRing {
 public:
  static constexpr unsigned kEntries = 64;

  // Errc::unavailable: the kernel is older, or io_uring is not allowed here (kernel.io_uring_disabled, a container's
  // seccomp profile). What it would have sent can be sent one by one.
  static base::Result<std::unique_ptr<SendRing>> create();
  ~SendRing();
  SendRing(const SendRing&) = delete;
  SendRing& operator=(const SendRing&) = delete;

  // REQUIRES: fewer than kEntries since the last send_all(), until which `bytes` stay where they are.
  void add(int socket, std::string_view bytes, std::size_t id);

  struct Sent {
    std::size_t id = 0;
    int result = 0;  // how many bytes the kernel took, or an error as -errno (EAGAIN: none now)
  };
  // Valid until the next call. All that were added are in it, or the ring is broken and the others were not sent.
  std::span<const Sent> send_all();
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  SendRing() = default;
  unsigned submit(unsigned count);

  std::unique_ptr<io_uring, void (*)(io_uring*)> ring_{nullptr, nullptr};
  std::array<Sent, kEntries> sent_;
  unsigned added_ = 0;
  bool is_broken_ = false;
};

// A new ring with `entries` that does nothing but IORING_OP_SEND. Returns 0 or an error as -errno; then there is none.
int open_send_ring(unsigned entries, io_uring& ring);

}  // namespace proxy::engine
