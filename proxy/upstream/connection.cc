#include "proxy/upstream/connection.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

#include "proxy/upstream/endpoint_pool.h"
#include "proxy/worker_context.h"

namespace proxy::upstream {
namespace {

using engine::EventLoop;

constexpr std::chrono::seconds kCountInterval{5};

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

void set_keepalive(int fd, const config::ConnectionPoolPolicy::Keepalive& keepalive) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (keepalive.probes) set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(*keepalive.probes));
  if (keepalive.time) set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(keepalive.time->count()));
  if (keepalive.interval) set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(keepalive.interval->count()));
}

}  // namespace

Connection::Connection(WorkerContext& context)
    : context_(context),
      timer_(engine::Timer::calling<&Connection::on_timer>(*this)),
      lifetime_(engine::Timer::calling<&Connection::on_lifetime_over>(*this)) {}

void Connection::open(EndpointPool& pool) {
  pool_ = &pool;
  user_ = nullptr;
  requests_ = 0;
  connect_error_ = 0;
  is_readable_ = has_ended_ = is_draining_ = is_request_held_ = is_established_ = false;
  result_ = telemetry::ConnectionResult::closed;
  state_ = State::connecting;

  EventLoop& loop = *context_.loop;
  counted_ = {.sent_bytes = 1};  // the SYN
  counted_at_ = loop.now();
  loop.timers().arm(timer_, loop.now() + pool.policy().connect_timeout);
  const int family = pool.endpoint().address.family();
  if (SocketStock* const stock = pool.sockets(family)) {
    base::UniqueFd socket = stock->take(*this);
    if (socket) {
      on_socket(std::move(socket));
    } else {
      context_.telemetry.on_socket_shortage();  // on_socket() follows, or the timer
    }
    return;
  }
  base::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) {
    const int error = errno;
    if (error != EAFNOSUPPORT) context_.telemetry.on_socket_shortage();
    fail_later(error);
    return;
  }
  on_socket(std::move(socket));
}

void Connection::on_socket(base::UniqueFd socket) {
  if (const int error = start_connect(std::move(socket)); error != 0) fail_later(error);
}

// Even a connect that is done at once counts as connecting until the loop has seen it: requests that come meanwhile are
// pending, as they are for Envoy.
int Connection::start_connect(base::UniqueFd socket) {
  const int fd = socket.get();
  engine::ByteAccount& account = *pool_->owner().buffered;
  socket_.open(std::move(socket), {.loop = *context_.loop, .owner = *this}, context_.buffers, account);
  kept_.open(context_.buffers, account);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (pool_->policy().tcp_keepalive) set_keepalive(fd, *pool_->policy().tcp_keepalive);
  sockaddr_storage storage;
  const socklen_t size = pool_->endpoint().address.to_sockaddr(storage);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) return errno;
  return context_.loop->add(fd, *this) ? 0 : ENOMEM;
}

void Connection::fail_later(int error_number) {
  timer_.cancel();
  connect_error_ = error_number;
  state_ = State::failed;
  context_.loop->defer(*this);
}

void Connection::attach(User& user) {
  user_ = &user;
  state_ = State::busy;
  is_request_held_ = false;
  ++requests_;
  timer_.cancel();
  const std::uint32_t most = pool_->policy().max_requests_per_connection;
  if (most != 0 && requests_ >= most) is_draining_ = true;
}

engine::IoStatus Connection::send_request(std::span<iovec> parts, bool is_whole) {
  const engine::IoStatus status = is_whole ? socket_.send_at_end_of_turn(parts) : socket_.send(parts);
  is_request_held_ = socket_.is_holding();
  return status;
}

void Connection::send(std::span<iovec> parts) {
  is_request_held_ = false;
  static_cast<void>(socket_.send_at_end_of_turn(parts));
}

void Connection::give_request_back() {
  socket_.drop_held();
  is_request_held_ = false;
  user_->on_request_not_sent();
}

void Connection::abort() {
  user_ = nullptr;
  close();
}

void Connection::on_io(std::uint32_t events) {
  switch (state_) {
    case State::closed:
    case State::failed:
      return;
    case State::connecting: {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
      int error_number = 0;
      socklen_t size = sizeof error_number;
      ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error_number, &size);
      has_ended_ = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
      is_readable_ = has_ended_ || (events & EPOLLIN) != 0;
      finish_connect(error_number);
      break;
    }
    case State::idle:
      // FIN, or bytes nobody asked for: either way not for the next request.
      if ((events & EPOLLERR) != 0) result_ = telemetry::ConnectionResult::reset;
      if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) close();
      return;
    case State::busy:
      if ((events & EPOLLOUT) != 0 && socket_.queued_bytes() != 0) {
        if (socket_.flush() == engine::IoStatus::done) user_->on_upstream_writable();
      }
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) has_ended_ = true;
      if (has_ended_ || (events & EPOLLIN) != 0) is_readable_ = true;
      break;
  }
  if (state_ == State::busy) read();
}

void Connection::finish_connect(int error_number) {
  timer_.cancel();
  if (error_number != 0) {
    context_.telemetry.on_upstream_failed(telemetry::ConnectionResult::refused);
    pool_->on_connect_failed(*this, {policy::ResetReason::connect_failure, error_number});
    return;
  }
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&storage), &size);
  local_ = base::SocketAddress::from_sockaddr(storage);
  context_.telemetry.on_upstream_opened();
  is_established_ = true;
  if (const auto& lifetime = pool_->policy().max_connection_duration) {
    EventLoop& loop = *context_.loop;
    loop.timers().arm(lifetime_, loop.now() + *lifetime);
  }
  pool_->on_connected(*this);
}

void Connection::on_timer(base::TimePoint) {
  if (state_ == State::connecting) {
    context_.telemetry.on_upstream_failed(telemetry::ConnectionResult::timeout);
    pool_->on_connect_failed(*this, {policy::ResetReason::connect_timeout, 0});
  } else if (state_ == State::idle) {
    context_.telemetry.on_timeout(pool_->owner().service_id, telemetry::TimeoutKind::idle);
    result_ = telemetry::ConnectionResult::timeout;
    close();
  }
}

void Connection::on_lifetime_over(base::TimePoint) {
  if (state_ == State::idle) {
    close();
  } else {
    is_draining_ = true;
  }
}

void Connection::resume_reading() {
  if (state_ == State::busy && !is_reading_) read();
}

void Connection::read() {
  if (is_readable_ && is_request_held_ && socket_.is_holding()) {
    // What came on a connection that was idle is no answer to a request that has not been sent yet.
    if (requests_ > 1) {
      give_request_back();
      return;
    }
    socket_.send_held();
  }
  EventLoop& loop = *context_.loop;
  count_tcp_now_and_then();
  is_reading_ = true;
  std::size_t moved = 0;
  while (state_ == State::busy && is_readable_ && user_->wants_upstream_data()) {
    if (moved >= engine::kBytesPerTurn) {
      loop.defer_to_next_turn(*this);
      break;
    }
    char* const scratch = loop.scratch();
    const std::size_t before = kept_.size();
    if (before != 0) std::memcpy(scratch, kept_.data(), before);
    const std::size_t room =
        std::min(pool_->owner().buffered->share_of(EventLoop::kReadBytes), EventLoop::kScratchBytes - before);
    const ssize_t count = socket_.receive(scratch + before, room);
    if (count <= 0) {
      is_readable_ = false;
      if (count < 0 && errno == EAGAIN) break;
      end(count < 0 ? errno : 0);
      break;
    }
    // A short read means drained, but a FIN may share the edge with the data.
    if (static_cast<std::size_t>(count) < room && !has_ended_) is_readable_ = false;
    kept_.clear();
    const std::size_t size = before + static_cast<std::size_t>(count);
    const User::Progress progress = user_->on_upstream_data(scratch, size);
    moved += static_cast<std::size_t>(count);
    if (state_ != State::busy) break;  // aborted meanwhile
    if (progress.next == User::Next::more) {
      kept_.assign(scratch + progress.used, size - progress.used);
      continue;
    }
    user_ = nullptr;
    if (progress.next == User::Next::release && progress.used == size && !is_draining_) {
      become_idle();
    } else {
      close();
    }
  }
  is_reading_ = false;
}

void Connection::end(int error_number) {
  if (error_number != 0) result_ = telemetry::ConnectionResult::reset;
  const User::Next next = user_->on_upstream_end(error_number);
  if (state_ != State::busy || next == User::Next::more) return;
  user_ = nullptr;
  close();
}

void Connection::become_idle() {
  socket_.send_held();
  request_permit_.release();
  if (socket_.queued_bytes() != 0 || is_readable_) {
    // Something of the old request is still on its way, or more came than was asked for.
    char byte;
    if (socket_.queued_bytes() != 0 || socket_.receive(&byte, 1) >= 0 || errno != EAGAIN) {
      close();
      return;
    }
    is_readable_ = false;
  }
  state_ = State::idle;
  count_tcp_now_and_then();
  EventLoop& loop = *context_.loop;
  loop.timers().arm(timer_, loop.now() + pool_->policy().idle_timeout);
  pool_->on_use_over(*this);
}

void Connection::count_tcp_now_and_then() {
  if (context_.loop->now() - counted_at_ >= kCountInterval) count_tcp();
}

void Connection::count_tcp() {
  counted_at_ = context_.loop->now();
  if (!context_.counts_tcp) return;
  const auto info = engine::read_tcp_info(socket_.fd());
  if (!info) return;
  const std::uint64_t sent_bytes = std::max(info->sent_bytes, counted_.sent_bytes);  // less: the SYN is on its way
  context_.telemetry.on_pod_tcp(
      pool_->owner().pod_id,
      {.rtt = info->rtt.count() == 0 ? std::nullopt : std::optional<std::chrono::nanoseconds>(info->rtt),
       .retransmits = info->retransmits - counted_.retransmits,
       .sent_bytes = sent_bytes - counted_.sent_bytes,
       .received_bytes = info->received_bytes - counted_.received_bytes});
  counted_ = *info;
  counted_.sent_bytes = sent_bytes;
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  if (socket_.is_open()) count_tcp();
  if (is_established_) {
    if (context_.counts_tcp && result_ == telemetry::ConnectionResult::reset) {
      context_.telemetry.on_pod_tcp_reset(pool_->owner().pod_id);
    }
    context_.telemetry.on_upstream_closed(result_);
  }
  user_ = nullptr;
  stop_waiting();
  timer_.cancel();
  lifetime_.cancel();
  request_permit_.release();
  connection_permit_.release();
  kept_.clear();
  socket_.close();
  context_.loop->defer_to_end_of_turn(*this);
  pool_->on_closed(*this);
}

void Connection::run_deferred(When when) {
  if (state_ == State::failed) {
    context_.telemetry.on_upstream_failed(telemetry::ConnectionResult::refused);
    pool_->on_connect_failed(*this, {policy::ResetReason::connect_failure, connect_error_});
  }
  if (state_ == State::busy && is_request_held_ && socket_.has_failed()) give_request_back();
  if (state_ == State::busy) read();
  if (state_ != State::closed) return;
  if (when == When::between_events) {  // an event of this batch may still name it
    context_.loop->defer_to_end_of_turn(*this);
    return;
  }
  pool_ = nullptr;
  context_.connections.give_back(*this);
}

}  // namespace proxy::upstream
