#pragma once

#include <memory>
#include <string>
#include <vector>

namespace proxy::engine {

// Byte buffers of one worker, lent out while a connection has something to keep: a partial head, bytes that the kernel
// did not take yet, a body that may be sent again. An idle connection holds none.
class BufferPool {
 public:
  struct Return {
    BufferPool* pool = nullptr;
    void operator()(std::string* buffer) const { pool->give_back(buffer); }
  };
  using Buffer = std::unique_ptr<std::string, Return>;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Empty, with whatever capacity it has from before.
  Buffer take() {
    if (free_.empty()) return Buffer(new std::string, Return{this});
    std::string* buffer = free_.back().release();
    free_.pop_back();
    return Buffer(buffer, Return{this});
  }

 private:
  static constexpr std::size_t kMaxFree = 256;
  static constexpr std::size_t kMaxKeptCapacity = 256 * 1024;  // a larger one goes back to the heap

  void give_back(std::string* buffer) {
    std::unique_ptr<std::string> owned(buffer);
    if (free_.size() >= kMaxFree || owned->capacity() > kMaxKeptCapacity) return;
    owned->clear();
    free_.push_back(std::move(owned));
  }

  std::vector<std::unique_ptr<std::string>> free_;
};

using Buffer = BufferPool::Buffer;

}  // namespace proxy::engine
