#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "tests/support/http_text.h"

namespace tests::support {

enum class Io : std::uint8_t {
  ok,
  closed,   // the peer sent FIN
  reset,    // the peer sent RST
  timeout,  // the deadline passed first
  stopped,  // the owner of `stop_fd` wants to end
};

// What came of a body. Only its beginning is kept.
struct Body {
  static constexpr std::size_t kKept = std::size_t{64} * 1024;

  std::uint64_t size = 0;
  std::string text;         // the first kKept bytes
  bool is_pattern = true;   // all of it, see body_pattern.h
  bool is_complete = true;  // as its framing announced
  Headers trailers;

  void append(std::string_view bytes);
};

// One TCP connection: buffered reads and whole writes, each with a deadline. One thread.
class Stream {
 public:
  // Becomes readable when the owner wants every wait to end; -1 is never.
  explicit Stream(base::UniqueFd socket, int stop_fd = -1);

  void set_deadline(base::TimePoint deadline) { deadline_ = deadline; }

  // Up to and including the empty line.
  Io read_head(std::string& text);
  // By Content-Length or chunks; without either until the peer closes if `may_end_with_close`, else nothing.
  Io read_body(const Head& head, bool may_end_with_close, Body& body);
  // What comes next, once something does; unframed.
  Io read_some(std::string& bytes);
  Io send(std::string_view bytes);
  Io send_pattern(std::uint64_t size);

  // Ok when `fd` became readable, or at `until`; otherwise what the peer did. -1: only `until`.
  Io wait(base::TimePoint until, int fd = -1);

  void half_close();
  void close() { socket_.reset(); }
  void reset();  // RST
  [[nodiscard]] bool is_open() const { return static_cast<bool>(socket_); }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Io fill();
  Io read_line(std::string& line);
  Io read_counted(std::uint64_t size, Body& body);
  Io read_chunked(Body& body);

  base::UniqueFd socket_;
  int stop_fd_;
  base::TimePoint deadline_ = base::TimePoint::max();
  std::string buffer_;
};

}  // namespace tests::support
