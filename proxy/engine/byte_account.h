#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace proxy::engine {

// Bytes that are kept for one owner, on all workers together: heads that are not whole, what slow readers have not
// taken, bodies that may be sent again. This is one worker's view of it. What happens beyond the limit is up to whoever
// would keep more.
class ByteAccount {
 public:
  // Both outlive the account. `most` changes with the settings.
  ByteAccount(std::atomic<std::uint64_t>& total, const std::uint64_t& most) : total_(total), most_(most) {}
  ByteAccount(const ByteAccount&) = delete;
  ByteAccount& operator=(const ByteAccount&) = delete;

  [[nodiscard]] bool has_room(std::uint64_t bytes) const {
    return total_.load(std::memory_order_relaxed) + bytes <= most_;
  }
  // Of what somebody would read at once, or have under way: little when more than half is used already, so that slow
  // readers are slower and nothing of theirs is lost.
  [[nodiscard]] std::size_t share_of(std::size_t bytes) const {
    const bool is_tight = total_.load(std::memory_order_relaxed) > most_ / 2;
    return is_tight ? std::min(bytes, kTightBytes) : bytes;
  }

  [[nodiscard]] bool try_add(std::uint64_t bytes) {
    if (total_.fetch_add(bytes, std::memory_order_relaxed) + bytes > most_) {
      total_.fetch_sub(bytes, std::memory_order_relaxed);
      return false;
    }
    here_ += bytes;
    return true;
  }
  // Beyond the limit as well: bytes that are here cannot be thrown away.
  void add(std::uint64_t bytes) {
    total_.fetch_add(bytes, std::memory_order_relaxed);
    here_ += bytes;
  }
  void remove(std::uint64_t bytes) {
    total_.fetch_sub(bytes, std::memory_order_relaxed);
    here_ -= bytes;
  }

  [[nodiscard]] std::uint64_t kept_here() const { return here_; }  // by this worker

  static constexpr std::size_t kTightBytes = 4096;

 private:
  std::atomic<std::uint64_t>& total_;
  const std::uint64_t& most_;
  std::uint64_t here_ = 0;
};

}  // namespace proxy::engine
