#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <span>

#include "base/unique_fd.h"
#include "proxy/engine/event_loop.h"
#include "proxy/engine/kept_bytes.h"

namespace proxy::engine {

enum class IoStatus : std::uint8_t { done, blocked, failed };

// RST in the place of FIN: the peer sees an error, not an end, and the kernel keeps nothing of the connection.
void close_with_reset(base::UniqueFd socket);

// A connected (or connecting), non-blocking TCP socket and the bytes that the kernel would not take yet. What has been
// handed to send() is never lost short of a failure.
class StreamSocket {
 public:
  StreamSocket() = default;
  StreamSocket(const StreamSocket&) = delete;
  StreamSocket& operator=(const StreamSocket&) = delete;
  ~StreamSocket() { drop_held(); }

  // Where it belongs. `owner` is deferred when a send fails that nobody waits for. All outlive it.
  struct Home {
    EventLoop& loop;
    Deferred& owner;
  };
  // What the kernel does not take is kept in one of `buffers` and on `account`.
  void open(base::UniqueFd fd, Home home, BufferPool& buffers, ByteAccount& account);
  // The kernel drops it from epoll. What is held goes to the kernel, and what that has taken still goes out.
  void close();
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

  // One system call for all parts unless bytes are queued already; what is not taken is copied to the queue.
  // `failed`: the connection is broken; nothing more can be sent. `parts` is used up as scratch space.
  // `closes`: close() follows, and its FIN shares a segment with these bytes.
  IoStatus send(std::span<iovec> parts, bool closes = false);
  // As send(), but a small message is copied and held until the end of the turn (SendBatch). That is `done`; when the
  // connection turns out to be broken then, has_failed() says so to the owner. Whatever else is called keeps the order.
  IoStatus send_at_end_of_turn(std::span<iovec> parts);
  [[nodiscard]] bool is_holding() const { return held_.has_value(); }
  void send_held();                   // now
  void on_held_sent(ssize_t result);  // for SendBatch: how much the kernel took of it, or an error as -errno
  void drop_held();                   // never
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  // After EPOLLOUT.
  IoStatus flush();
  [[nodiscard]] std::size_t queued_bytes() const { return queue_.size(); }
  // True until a byte reached the kernel: nothing can have reached the peer.
  [[nodiscard]] bool has_sent_nothing() const { return sent_bytes_ == 0; }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

  // Bytes read, 0: the peer closed, -1 with errno: nothing there (EAGAIN) or broken.
  ssize_t receive(char* into, std::size_t size);
  void shutdown_send();  // once the queue is empty

 private:
  // What the kernel took of `parts`, or an error as -errno.
  IoStatus on_sent(ssize_t result, std::span<const iovec> parts);
  void keep(std::span<const iovec> parts, std::size_t skip);

  base::UniqueFd fd_;
  EventLoop* loop_ = nullptr;
  Deferred* owner_ = nullptr;
  std::optional<std::size_t> held_;  // slot in the loop's batch
  KeptBytes queue_;
  std::uint64_t sent_bytes_ = 0;
  bool has_failed_ = false;
  bool shuts_down_when_flushed_ = false;
  bool is_held_back_ = false;  // the kernel waits for the FIN with the last bytes
};

}  // namespace proxy::engine
