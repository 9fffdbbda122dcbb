#include "proxy/engine/send_batch.h"

#include <cstring>

#include "proxy/engine/stream_socket.h"

namespace proxy::engine {

std::size_t join(std::span<const iovec> parts, char* into) {
  char* end = into;
  for (const iovec& part : parts) {
    if (part.iov_len == 0) continue;  // iov_base may be null
    std::memcpy(end, part.iov_base, part.iov_len);
    end += part.iov_len;
  }
  return static_cast<std::size_t>(end - into);
}

std::size_t SendBatch::add(StreamSocket& socket, std::span<const iovec> parts) {
  if (count_ == kMaxMessages) send_all();
  const std::size_t size = join(parts, bytes_.get() + used_bytes_);
  messages_[count_] = {.socket = &socket, .offset = used_bytes_, .size = size};
  used_bytes_ += size;
  return count_++;
}

std::string_view SendBatch::take(std::size_t slot) {
  messages_[slot].socket = nullptr;
  return bytes(slot);
}

void SendBatch::send_by_ring() {
  for (std::size_t slot = 0; slot < count_; ++slot) {
    if (messages_[slot].socket != nullptr) ring_->add(messages_[slot].socket->fd(), bytes(slot), slot);
  }
  for (const SendRing::Sent& sent : ring_->send_all()) messages_[sent.id].socket->on_held_sent(sent.result);
  if (ring_->is_broken()) ring_.reset();
}

void SendBatch::send_all() {
  if (ring_ && count_ > 1) send_by_ring();
  for (std::size_t slot = 0; slot < count_; ++slot) {
    if (messages_[slot].socket != nullptr) messages_[slot].socket->send_held();
  }
  count_ = 0;
  used_bytes_ = 0;
}

}  // namespace proxy::engine
