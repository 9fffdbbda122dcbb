#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace proxy::engine {

// Bytes that are kept, by all workers together. `most` changes with the settings. What it refers to outlives it.
struct ByteLimit {
  std::atomic<std::uint64_t>& total;
  const std::uint64_t& most;

  [[nodiscard]] std::uint64_t used() const { return total.load(std::memory_order_relaxed); }
  [[nodiscard]] bool has_room(std::uint64_t bytes) const { return used() + bytes <= most; }
  [[nodiscard]] bool is_tight() const { return used() > most / 2; }
};

// Bytes that are kept for one pod: heads that are not whole, what slow readers have not taken, bodies that may be sent
// again. They count for the pod and for the node; this is one worker's view of it. When all pods together have used up
// what the node has, each still has kGuaranteedBytes. What happens beyond a limit is up to whoever would keep more.
class ByteAccount {
 public:
  ByteAccount(ByteLimit pod, ByteLimit node) : pod_(pod), node_(node) {}
  ByteAccount(const ByteAccount&) = delete;
  ByteAccount& operator=(const ByteAccount&) = delete;

  [[nodiscard]] bool has_room(std::uint64_t bytes) const { return pod_.has_room(bytes) && has_room_on_node(bytes); }
  [[nodiscard]] bool has_room_on_node(std::uint64_t bytes) const {
    return node_.has_room(bytes) || pod_.used() + bytes <= kGuaranteedBytes;
  }
  // Of what somebody would read at once, or have under way: little when more than half is used already, so that slow
  // readers are slower and nothing of theirs is lost.
  [[nodiscard]] std::size_t share_of(std::size_t bytes) const {
    const bool is_tight = pod_.is_tight() || (node_.is_tight() && pod_.used() > kGuaranteedBytes);
    return is_tight ? std::min(bytes, kTightBytes) : bytes;
  }

  // Beyond the limit as well: bytes that are here cannot be thrown away.
  void add(std::uint64_t bytes) {
    pod_.total.fetch_add(bytes, std::memory_order_relaxed);
    node_.total.fetch_add(bytes, std::memory_order_relaxed);
    here_ += bytes;
  }
  void remove(std::uint64_t bytes) {
    pod_.total.fetch_sub(bytes, std::memory_order_relaxed);
    node_.total.fetch_sub(bytes, std::memory_order_relaxed);
    here_ -= bytes;
  }

  [[nodiscard]] std::uint64_t kept_here() const { return here_; }  // by this worker

  static constexpr std::size_t kTightBytes = 4096;
  static constexpr std::uint64_t kGuaranteedBytes = 64UL * 1024;

 private:
  const ByteLimit pod_, node_;
  std::uint64_t here_ = 0;
};

}  // namespace proxy::engine
