#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "proxy/engine/stream_socket.h"

namespace proxy::engine {

// Buffers, and whose they are.
struct Lender {
  BufferPool buffers;
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> total_of_node{0};
  const std::uint64_t most = 1 << 20;
  ByteAccount account{{total, most}, {total_of_node, most}};
};

// Whose connection it is, in the loop of a worker.
struct Home final : Deferred {
  explicit Home(std::unique_ptr<SendRing> ring = nullptr) {
    auto created = EventLoop::create(std::move(ring));
    EXPECT_TRUE(created);
    loop = std::move(*created);
  }
  void run_deferred(When) override {
    ++calls;
    loop->stop();
  }
  operator StreamSocket::Home() { return {.loop = *loop, .owner = *this}; }  // NOLINT(*-explicit-*)

  std::unique_ptr<EventLoop> loop;
  int calls = 0;
};

}  // namespace proxy::engine
