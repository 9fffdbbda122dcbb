#pragma once

#include <cstdint>

#include "proxy/engine/buffer_pool.h"
#include "proxy/engine/byte_account.h"

namespace proxy::engine {

// What one connection has to keep for a while, in a borrowed buffer and on its owner's account. Empty, it holds none.
class KeptBytes {
 public:
  KeptBytes() = default;
  KeptBytes(const KeptBytes&) = delete;
  KeptBytes& operator=(const KeptBytes&) = delete;
  ~KeptBytes() { clear(); }

  // Whose bytes they will be; what was kept before is gone. Both outlive what is kept.
  void open(BufferPool& pool, ByteAccount& account);

  [[nodiscard]] bool is_empty() const { return !buffer_; }
  [[nodiscard]] std::size_t size() const { return buffer_ ? buffer_->size() - offset_ : 0; }
  [[nodiscard]] const char* data() const { return buffer_->data() + offset_; }  // REQUIRES: !is_empty()

  // REQUIRES: open()
  void append(const char* bytes, std::size_t size);
  void assign(const char* bytes, std::size_t size);
  // Copies all of it to `out` and is empty then; returns how much it was.
  std::size_t move_to(char* out);
  void drop_front(std::size_t size);
  void clear();

 private:
  void count();

  BufferPool* pool_ = nullptr;
  ByteAccount* account_ = nullptr;
  Buffer buffer_;
  std::size_t offset_ = 0;  // what is before it has been dropped
  std::size_t counted_ = 0;
};

}  // namespace proxy::engine
