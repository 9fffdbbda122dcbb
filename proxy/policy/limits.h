#pragma once

#include <atomic>
#include <cstdint>

#include "config/model/policy.h"

namespace proxy::policy {

// One bounded counter, shared by all workers: check and add are one compare-and-swap, so it never overshoots
// (SEMANTICS 4; Envoy may by workers - 1).
class AtomicLimit {
 public:
  [[nodiscard]] bool try_acquire(std::uint32_t maximum);
  void acquire_unchecked() { in_use_.fetch_add(1, std::memory_order_relaxed); }
  void release() { in_use_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> in_use_{0};
};

// The limits of one (source pod, backend), SEMANTICS 2.5.
struct Limits {
  AtomicLimit connections;
  AtomicLimit pending;   // waiting for a connection
  AtomicLimit requests;  // attached to one
  AtomicLimit retries;   // waiting for back-off or running
};

// maxRetries, or the budget in its place.
[[nodiscard]] std::uint32_t allowed_retries(const config::BackendPolicy& policy, const Limits& limits);

// RAII: a permit that an early return cannot leak. Movable; empty after release().
class Permit {
 public:
  Permit() = default;
  explicit Permit(AtomicLimit& limit) : limit_(&limit) {}
  Permit(Permit&& other) noexcept : limit_(other.limit_) { other.limit_ = nullptr; }
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      limit_ = other.limit_;
      other.limit_ = nullptr;
    }
    return *this;
  }
  ~Permit() { release(); }
  void release() {
    if (limit_ != nullptr) limit_->release();
    limit_ = nullptr;
  }
  explicit operator bool() const { return limit_ != nullptr; }

 private:
  AtomicLimit* limit_ = nullptr;
};

}  // namespace proxy::policy
