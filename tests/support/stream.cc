#include "tests/support/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "tests/support/body_pattern.h"

namespace tests::support {
namespace {

constexpr std::size_t kReadStep = std::size_t{64} * 1024;

// Milliseconds until `deadline`, rounded up so that poll() does not spin at the end.
int poll_timeout(base::TimePoint deadline) {
  if (deadline == base::TimePoint::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

Io io_of_errno(int error) { return error == ECONNRESET || error == EPIPE ? Io::reset : Io::closed; }

}  // namespace

void Body::append(std::string_view bytes) {
  is_pattern = is_pattern && support::is_pattern(size, bytes);
  text.append(bytes.substr(0, kKept - std::min(kKept, text.size())));
  size += bytes.size();
}

Stream::Stream(base::UniqueFd socket, int stop_fd) : socket_(std::move(socket)), stop_fd_(stop_fd) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Io Stream::fill() {
  std::array<pollfd, 2> entries{{{.fd = socket_.get(), .events = POLLIN}, {.fd = stop_fd_, .events = POLLIN}}};
  std::array<char, kReadStep> bytes;
  while (true) {
    if (!socket_) return Io::closed;
    const ssize_t got = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (got > 0) {
      buffer_.append(bytes.data(), static_cast<std::size_t>(got));
      return Io::ok;
    }
    if (got == 0) return Io::closed;
    if (errno != EAGAIN && errno != EINTR) return io_of_errno(errno);
    if (poll(entries.data(), entries.size(), poll_timeout(deadline_)) == 0) return Io::timeout;
    if (entries[1].revents != 0) return Io::stopped;
  }
}

Io Stream::read_head(std::string& text) {
  std::size_t searched = 0;
  while (true) {
    const auto end = buffer_.find("\r\n\r\n", searched);
    if (end != std::string::npos) {
      text = buffer_.substr(0, end + 4);
      buffer_.erase(0, end + 4);
      return Io::ok;
    }
    searched = buffer_.size() < 3 ? 0 : buffer_.size() - 3;
    if (const Io io = fill(); io != Io::ok) return io;
  }
}

Io Stream::read_line(std::string& line) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (const Io io = fill(); io != Io::ok) return io;
  }
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return Io::ok;
}

Io Stream::read_counted(std::uint64_t size, Body& body) {
  while (size > 0) {
    if (buffer_.empty()) {
      if (const Io io = fill(); io != Io::ok) return io;
    }
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
    body.append(std::string_view(buffer_).substr(0, take));
    buffer_.erase(0, take);
    size -= take;
  }
  return Io::ok;
}

Io Stream::read_chunked(Body& body) {
  std::string line;
  while (true) {
    if (const Io io = read_line(line); io != Io::ok) return io;
    std::uint64_t size = 0;
    std::from_chars(line.data(), line.data() + line.size(), size, 16);
    if (size == 0) break;
    if (const Io io = read_counted(size, body); io != Io::ok) return io;
    if (const Io io = read_line(line); io != Io::ok) return io;
  }
  std::string trailers = "\r\n";  // in the place of a start line
  do {
    if (const Io io = read_line(line); io != Io::ok) return io;
    trailers += line + "\r\n";
  } while (!line.empty());
  body.trailers = parse_head("trailers" + trailers).headers;
  return Io::ok;
}

Io Stream::read_body(const Head& head, bool may_end_with_close, Body& body) {
  Io io = Io::ok;
  if (const auto coding = head.header("transfer-encoding"); coding && coding->ends_with("hunked")) {
    io = read_chunked(body);
  } else if (const auto length = head.header("content-length")) {
    std::uint64_t size = 0;
    std::from_chars(length->data(), length->data() + length->size(), size);
    io = read_counted(size, body);
  } else if (may_end_with_close) {
    while (io == Io::ok) {
      body.append(buffer_);
      buffer_.clear();
      io = fill();
    }
    if (io == Io::closed) io = Io::ok;
  }
  body.is_complete = io == Io::ok;
  return io;
}

Io Stream::read_some(std::string& bytes) {
  if (buffer_.empty()) {
    if (const Io io = fill(); io != Io::ok) return io;
  }
  bytes = std::exchange(buffer_, {});
  return Io::ok;
}

Io Stream::send(std::string_view bytes) {
  std::array<pollfd, 2> entries{{{.fd = socket_.get(), .events = POLLOUT}, {.fd = stop_fd_, .events = POLLIN}}};
  while (!bytes.empty()) {
    if (!socket_) return Io::closed;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return io_of_errno(errno);
    if (poll(entries.data(), entries.size(), poll_timeout(deadline_)) == 0) return Io::timeout;
    if (entries[1].revents != 0) return Io::stopped;
  }
  return Io::ok;
}

Io Stream::send_pattern(std::uint64_t size) {
  for (std::uint64_t offset = 0; offset < size;) {
    const std::string_view bytes = pattern_at(offset, size - offset);
    if (const Io io = send(bytes); io != Io::ok) return io;
    offset += bytes.size();
  }
  return Io::ok;
}

Io Stream::wait(base::TimePoint until, int fd) {
  std::array<pollfd, 3> entries{
      {{.fd = socket_.get(), .events = POLLRDHUP}, {.fd = stop_fd_, .events = POLLIN}, {.fd = fd, .events = POLLIN}}};
  int ready = 0;
  do {
    ready = poll(entries.data(), entries.size(), poll_timeout(std::min(until, deadline_)));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return until <= deadline_ ? Io::ok : Io::timeout;
  if (entries[1].revents != 0) return Io::stopped;
  if ((entries[0].revents & POLLERR) != 0) return Io::reset;
  if (entries[0].revents != 0) return Io::closed;
  return Io::ok;
}

void Stream::half_close() { shutdown(socket_.get(), SHUT_WR); }

void Stream::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

}  // namespace tests::support
