#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/engine/send_ring.h"

namespace proxy::engine {

class StreamSocket;

inline std::size_t size_of(std::span<const iovec> parts) {
  std::size_t size = 0;
  for (const iovec& part : parts) size += part.iov_len;
  return size;
}

// Copies all of `parts` to `into`; returns how much it was.
std::size_t join(std::span<const iovec> parts, char* into);

// Small messages of one worker's turn, which go out one right after the other when its events are done: by one call of
// the kernel where there is a SendRing, else by one for each. Even then what the kernel needs to send stays in the
// processor's caches, which is 4 to 7 % of a request of 1 KiB. Belongs to the EventLoop; used by StreamSocket.
class SendBatch {
 public:
  // send() of one piece of memory costs the kernel 4 % less than sendmsg(), which has to be told where the pieces are:
  // as much as it costs to copy 8 KiB.
  static constexpr std::size_t kMaxMessageBytes = 4096;
  // The first of them waits while the others are made, so there are not many.
  static constexpr std::size_t kMaxMessages = SendRing::kEntries;

  explicit SendBatch(std::unique_ptr<SendRing> ring) : ring_(std::move(ring)) {}

  // REQUIRES: size_of(parts) <= kMaxMessageBytes. Returns the message's slot; when there is no more room, those that
  // wait go out first.
  std::size_t add(StreamSocket& socket, std::span<const iovec> parts);
  [[nodiscard]] std::string_view bytes(std::size_t slot) const {
    return {bytes_.get() + messages_[slot].offset, messages_[slot].size};
  }
  // It is not in the batch any more. The bytes are there until the next add().
  std::string_view take(std::size_t slot);
  void send_all();

 private:
  struct Message {
    StreamSocket* socket = nullptr;  // nullptr: taken
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  void send_by_ring();

  std::unique_ptr<SendRing> ring_;  // nullptr: none here
  std::array<Message, kMaxMessages> messages_;
  std::size_t count_ = 0;
  std::size_t used_bytes_ = 0;
  std::unique_ptr<char[]> bytes_ = std::make_unique_for_overwrite<char[]>(kMaxMessages * kMaxMessageBytes);
};

}  // namespace proxy::engine
