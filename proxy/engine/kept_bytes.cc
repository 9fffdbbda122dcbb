#include "proxy/engine/kept_bytes.h"

#include <cstring>

namespace proxy::engine {

void KeptBytes::open(BufferPool& pool, ByteAccount& account) {
  clear();
  pool_ = &pool;
  account_ = &account;
}

void KeptBytes::append(const char* bytes, std::size_t size) {
  if (size == 0) return;
  if (!buffer_) buffer_ = pool_->take();
  if (offset_ > buffer_->size() / 2) {  // do not grow without bound
    buffer_->erase(0, offset_);
    offset_ = 0;
  }
  buffer_->append(bytes, size);
  count();
}

void KeptBytes::assign(const char* bytes, std::size_t size) {
  clear();
  append(bytes, size);
}

std::size_t KeptBytes::move_to(char* out) {
  const std::size_t moved = size();
  if (moved != 0) std::memcpy(out, data(), moved);
  clear();
  return moved;
}

void KeptBytes::drop_front(std::size_t size) {
  offset_ += size;
  if (offset_ == buffer_->size()) {
    clear();
  } else {
    count();
  }
}

void KeptBytes::clear() {
  buffer_.reset();
  offset_ = 0;
  if (counted_ != 0) count();
}

void KeptBytes::count() {
  const std::size_t now = size();
  if (now > counted_) account_->add(now - counted_);
  if (now < counted_) account_->remove(counted_ - now);
  counted_ = now;
}

}  // namespace proxy::engine
