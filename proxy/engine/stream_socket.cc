#include "proxy/engine/stream_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "proxy/engine/send_batch.h"

namespace proxy::engine {
namespace {

constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;

ssize_t send_joined(int fd, std::span<const iovec> parts, int flags) {
  std::array<char, SendBatch::kMaxMessageBytes> joined;
  const std::size_t size = join(parts, joined.data());
  return ::send(fd, joined.data(), size, flags);
}

ssize_t send_parts(int fd, std::span<iovec> parts, int flags) {
  if (parts.size() == 1) return ::send(fd, parts.front().iov_base, parts.front().iov_len, flags);
  if (size_of(parts) <= SendBatch::kMaxMessageBytes) return send_joined(fd, parts, flags);
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return ::sendmsg(fd, &message, flags);
}

}  // namespace

void close_with_reset(base::UniqueFd socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void StreamSocket::open(base::UniqueFd fd, Home home, BufferPool& buffers, ByteAccount& account) {
  fd_ = std::move(fd);
  loop_ = &home.loop;
  owner_ = &home.owner;
  queue_.open(buffers, account);
  sent_bytes_ = 0;
  has_failed_ = false;
  shuts_down_when_flushed_ = false;
  is_held_back_ = false;
}

void StreamSocket::close() {
  send_held();
  // Bytes that nobody has read here would make close() drop what is held back, and send RST.
  if (is_held_back_) ::shutdown(fd_.get(), SHUT_WR);
  fd_.reset();
  queue_.clear();
}

IoStatus StreamSocket::send_at_end_of_turn(std::span<iovec> parts) {
  send_held();
  if (size_of(parts) > SendBatch::kMaxMessageBytes || !queue_.is_empty()) return send(parts);
  held_ = loop_->sends().add(*this, parts);
  return IoStatus::done;
}

void StreamSocket::send_held() {
  if (!held_) return;
  const std::string_view bytes = loop_->sends().bytes(*held_);
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), kSendFlags);
  on_held_sent(sent < 0 ? -errno : sent);
}

void StreamSocket::on_held_sent(ssize_t result) {
  const std::string_view bytes = loop_->sends().take(*std::exchange(held_, std::nullopt));
  const iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  if (on_sent(result, {&part, 1}) != IoStatus::failed) return;
  has_failed_ = true;
  loop_->defer(*owner_);
}

void StreamSocket::drop_held() {
  if (held_) static_cast<void>(loop_->sends().take(*std::exchange(held_, std::nullopt)));
}

IoStatus StreamSocket::send(std::span<iovec> parts, bool closes) {
  send_held();
  if (!queue_.is_empty()) {
    keep(parts, 0);
    return IoStatus::blocked;
  }
  const ssize_t sent = send_parts(fd_.get(), parts, kSendFlags | (closes ? MSG_MORE : 0));
  const IoStatus status = on_sent(sent < 0 ? -errno : sent, parts);
  is_held_back_ = closes && status == IoStatus::done;
  return status;
}

IoStatus StreamSocket::on_sent(ssize_t result, std::span<const iovec> parts) {
  if (result < 0 && result != -EAGAIN && result != -EINTR) return IoStatus::failed;
  const auto taken = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
  sent_bytes_ += taken;
  keep(parts, taken);
  return queue_.is_empty() ? IoStatus::done : IoStatus::blocked;
}

void StreamSocket::keep(std::span<const iovec> parts, std::size_t skip) {
  for (const iovec& part : parts) {
    if (skip >= part.iov_len) {
      skip -= part.iov_len;
      continue;
    }
    queue_.append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    skip = 0;
  }
}

IoStatus StreamSocket::flush() {
  while (!queue_.is_empty()) {
    const ssize_t sent = ::send(fd_.get(), queue_.data(), queue_.size(), kSendFlags);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? IoStatus::blocked : IoStatus::failed;
    }
    sent_bytes_ += static_cast<std::uint64_t>(sent);
    queue_.drop_front(static_cast<std::size_t>(sent));
  }
  if (shuts_down_when_flushed_) ::shutdown(fd_.get(), SHUT_WR);
  shuts_down_when_flushed_ = false;
  return IoStatus::done;
}

ssize_t StreamSocket::receive(char* into, std::size_t size) {
  for (;;) {
    const ssize_t count = ::recv(fd_.get(), into, size, MSG_DONTWAIT);
    if (count >= 0 || errno != EINTR) return count;
  }
}

void StreamSocket::shutdown_send() {
  send_held();
  if (queue_.is_empty()) {
    ::shutdown(fd_.get(), SHUT_WR);
  } else {
    shuts_down_when_flushed_ = true;
  }
}

}  // namespace proxy::engine
