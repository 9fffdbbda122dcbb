#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace proxy::telemetry {

// Bytes on their way into a log. As a string, but the room that a line asks for, which is far more than it uses, is not
// cleared first.
class LineBuffer {
 public:
  [[nodiscard]] std::string_view bytes() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool is_empty() const { return size_ == 0; }

  // Where the next byte goes; up to room_end() there is room for `bytes` or more.
  char* make_room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) set_capacity(std::max(size_ + bytes, 2 * capacity_));
    return bytes_.get() + size_;
  }
  [[nodiscard]] char* room_end() { return bytes_.get() + capacity_; }
  // What was written into the room up to `end` belongs to the bytes.
  void extend_to(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  void append(char c) {
    char* const at = make_room(1);
    *at = c;
    extend_to(at + 1);
  }
  void drop_front(std::size_t count) {
    size_ -= count;
    if (size_ != 0) std::memmove(bytes_.get(), bytes_.get() + count, size_);
  }
  void clear() { size_ = 0; }
  void shrink_to_fit() { set_capacity(size_); }

 private:
  void set_capacity(std::size_t capacity) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace proxy::telemetry
