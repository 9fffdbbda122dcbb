#include "channel/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "channel/codec.h"

namespace channel {
namespace {

constexpr std::size_t kHeaderBytes = 4;

void put_length(std::string& out, std::uint32_t length) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((length >> shift) & 0xff));
}

std::uint32_t get_length(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kHeaderBytes; ++i) {
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return length;
}

}  // namespace

Connection::Connection(base::UniqueFd socket) : socket_(std::move(socket)) {}

// Not by SO_SNDTIMEO: who waits for this socket with Asio has made it non-blocking.
base::Result<> Connection::wait_until_writable() {
  const base::TimePoint end = base::now() + std::chrono::seconds(kSendTimeoutSeconds);
  pollfd waiting{.fd = socket_.get(), .events = POLLOUT | POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - base::now());
    const int ready = ::poll(&waiting, 1, std::max(0, static_cast<int>(left.count())));
    if (ready < 0 && errno != EINTR) return base::fail_errno("wait for the other process");
    if (ready > 0 && waiting.revents != POLLIN) return {};  // an error shows when it is written to
    if (ready > 0) {
      const auto arrival = take_in();
      if (!arrival) return tl::unexpected(arrival.error());
      if (*arrival == Arrival::end) waiting.events = POLLOUT;
      has_arrived_ = true;
    }
    if (base::now() >= end) {
      return base::fail(base::Errc::io,
                        "the other process has read nothing for " + std::to_string(kSendTimeoutSeconds) + " s");
    }
  }
}

base::Result<> Connection::send(const Message& message) {
  const Encoded encoded = encode(message);
  std::string frame;
  frame.reserve(kHeaderBytes + encoded.bytes.size());
  put_length(frame, static_cast<std::uint32_t>(encoded.bytes.size()));
  frame += encoded.bytes;

  std::size_t sent = 0;
  while (sent < frame.size()) {
    iovec part{frame.data() + sent, frame.size() - sent};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
    if (sent == 0 && !encoded.descriptors.empty()) {
      const std::size_t bytes = sizeof(int) * encoded.descriptors.size();
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(bytes);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(bytes);
      std::memcpy(CMSG_DATA(rights), encoded.descriptors.data(), bytes);
    }
    const ssize_t count = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return base::fail_errno("send to the other process");
      if (auto writable = wait_until_writable(); !writable) return writable;
      continue;
    }
    sent += static_cast<std::size_t>(count);
  }
  return {};
}

base::Result<bool> Connection::receive(const std::function<void(Message)>& handle) {
  for (;;) {
    // First what came during a send(). A handler may send as well.
    if (auto taken = take_frames(handle); !taken) return tl::unexpected(taken.error());
    has_arrived_ = false;
    const auto arrival = take_in();
    if (!arrival) return tl::unexpected(arrival.error());
    if (*arrival != Arrival::something) return *arrival == Arrival::nothing;
  }
}

base::Result<Connection::Arrival> Connection::take_in() {
  std::array<char, 64 * 1024> chunk;
  iovec part{chunk.data(), chunk.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno == EAGAIN) return Arrival::nothing;
    if (errno == ECONNRESET) return Arrival::end;
    return base::fail_errno("receive from the other process");
  }
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t fds = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < fds; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(each) + i * sizeof(int), sizeof fd);
      descriptors_.emplace_back(fd);
    }
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0) return base::fail(base::Errc::invalid, "too many descriptors in a frame");
  if (count == 0) return Arrival::end;
  buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  return Arrival::something;
}

base::Result<> Connection::take_frames(const std::function<void(Message)>& handle) {
  std::size_t used = 0;
  while (buffer_.size() - used >= kHeaderBytes) {
    const std::string_view rest = std::string_view(buffer_).substr(used);
    const std::size_t length = get_length(rest);
    if (length > kMaxFrameBytes)
      return base::fail(base::Errc::invalid, "a frame of " + std::to_string(length) + " bytes");
    if (rest.size() < kHeaderBytes + length) break;
    auto message = decode(rest.substr(kHeaderBytes, length), descriptors_);
    if (!message) return tl::unexpected(message.error());
    used += kHeaderBytes + length;
    handle(std::move(*message));
  }
  buffer_.erase(0, used);
  return {};
}

}  // namespace channel
