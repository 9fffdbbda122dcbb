#include "cli/load/runner.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/http/response_reader.h"

namespace cli::load {
namespace {

using base::TimePoint;
using std::chrono::nanoseconds;

struct Connection {
  enum class State : std::uint8_t { waiting, sending, receiving, done };
  State state = State::waiting;
  base::UniqueFd fd;
  http::ResponseReader reader;
  std::size_t sent = 0;
  bool is_reused = false;     // this request began on a connection that had carried another
  std::uint64_t started = 0;  // requests
  std::uint64_t allowed = 0;
  TimePoint first_due, due, begun;
};

std::string errno_text(int error) { return std::generic_category().message(error); }

class Runner {
 public:
  explicit Runner(const Plan& plan) : plan_(plan), connections_(plan.connections), buffer_(64 * 1024) {}

  base::Result<Outcome> run() {
    if (auto ready = prepare(); !ready) return tl::unexpected(ready.error());
    while (live_ > 0 && !is_stopped_) {
      start_due(base::now());
      if (live_ == 0) break;
      wait(base::now());
      expire(base::now());
    }
    outcome_.elapsed = base::now() - start_;
    return std::move(outcome_);
  }

 private:
  base::Result<> prepare() {
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return base::fail_errno("epoll_create1");
    if (plan_.stop_fd >= 0) {
      epoll_event event{.events = EPOLLIN, .data = {.u32 = plan_.connections}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, plan_.stop_fd, &event) != 0) return base::fail_errno("epoll_ctl");
    }
    start_ = base::now();
    live_ = plan_.connections;
    for (std::uint32_t i = 0; i < plan_.connections; ++i) {
      auto& connection = connections_[i];
      connection.allowed = plan_.requests ? share_of(*plan_.requests, plan_.connections, i) : std::uint64_t(-1);
      // Spread over one period, so that a rate is a rate and not a burst.
      connection.first_due =
          start_ + (plan_.requests_per_second > 0 ? period() * i / plan_.connections : nanoseconds(0));
      connection.due = connection.first_due;
    }
    return {};
  }

  // Time between two requests of one connection at the wanted rate.
  [[nodiscard]] nanoseconds period() const {
    const double seconds = plan_.connections / plan_.requests_per_second;
    return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
  }

  void start_due(TimePoint now) {
    for (std::uint32_t i = 0; i < connections_.size(); ++i) {
      // A request may fail or be answered at once; the next one of this connection may then be due, too.
      const auto& connection = connections_[i];
      while (connection.state == Connection::State::waiting && (connection.due <= now || is_over(connection.due))) {
        begin(i, now);
      }
    }
  }

  [[nodiscard]] bool is_over(TimePoint now) const { return plan_.duration && now - start_ >= *plan_.duration; }

  void begin(std::uint32_t index, TimePoint now) {
    auto& connection = connections_[index];
    if (connection.started == connection.allowed || is_over(std::max(now, connection.due))) {
      connection.state = Connection::State::done;
      connection.fd.reset();
      --live_;
      return;
    }
    ++connection.started;
    connection.begun = now;
    connection.is_reused = static_cast<bool>(connection.fd);
    connection.state = Connection::State::sending;
    send_request(index);
  }

  void send_request(std::uint32_t index) {
    auto& connection = connections_[index];
    connection.sent = 0;
    connection.reader.start(plan_.is_head_request);
    if (!connection.fd && !connect(index)) return;
    write(index);
  }

  bool connect(std::uint32_t index) {
    auto& connection = connections_[index];
    sockaddr_storage storage{};
    const socklen_t length = plan_.address.to_sockaddr(storage);
    connection.fd.reset(::socket(plan_.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!connection.fd) {
      fail(index, "socket: " + errno_text(errno));
      return false;
    }
    ++outcome_.sockets;
    if (::connect(connection.fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 && errno != EINPROGRESS) {
      fail(index, "connect: " + errno_text(errno));
      return false;
    }
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u32 = index}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event) != 0) {
      fail(index, "epoll_ctl: " + errno_text(errno));
      return false;
    }
    return true;
  }

  void write(std::uint32_t index) {
    auto& connection = connections_[index];
    while (connection.sent < plan_.request.size()) {
      const auto count = ::send(connection.fd.get(), plan_.request.data() + connection.sent,
                                plan_.request.size() - connection.sent, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) return;  // the next edge goes on
        return lost(index, errno_text(errno));
      }
      connection.sent += static_cast<std::size_t>(count);
    }
    connection.state = Connection::State::receiving;
  }

  void read(std::uint32_t index) {
    auto& connection = connections_[index];
    while (connection.fd) {
      const auto count = ::recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      const bool is_asked =
          connection.state == Connection::State::sending || connection.state == Connection::State::receiving;
      if (!is_asked) return connection.fd.reset();  // closed, or bytes nobody asked for, while idle
      if (count < 0) return lost(index, errno_text(errno));
      if (count == 0) {
        connection.reader.finish();
        if (connection.reader.state() == http::ResponseReader::State::complete) return answered(index, false);
        return lost(index, connection.reader.failure());
      }
      const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
      const auto used = connection.reader.feed(bytes);
      if (connection.reader.state() == http::ResponseReader::State::failed) {
        return fail(index, connection.reader.failure());
      }
      if (connection.reader.state() == http::ResponseReader::State::complete) {
        return answered(index, used == bytes.size());
      }
    }
  }

  void answered(std::uint32_t index, bool may_keep) {
    auto& connection = connections_[index];
    const bool is_sent = connection.state == Connection::State::receiving;
    if (!may_keep || !is_sent || !plan_.keeps_alive || !connection.reader.keeps_alive()) connection.fd.reset();
    outcome_.header_bytes += connection.reader.head_bytes();
    outcome_.body_bytes += connection.reader.body_bytes();
    count(index, connection.reader.status());
  }

  // The connection broke. A kept one may have been closed by the server just before this request: that is no answer to
  // the request, so it is sent again, once, on a new connection.
  void lost(std::uint32_t index, std::string why) {
    auto& connection = connections_[index];
    if (!connection.is_reused || connection.reader.has_begun()) return fail(index, std::move(why));
    connection.fd.reset();
    connection.is_reused = false;
    connection.state = Connection::State::sending;
    send_request(index);
  }

  void fail(std::uint32_t index, std::string why) {
    connections_[index].fd.reset();
    ++outcome_.failures[std::move(why)];
    count(index, kNoAnswer);
  }

  void count(std::uint32_t index, int code) {
    auto& connection = connections_[index];
    const TimePoint now = base::now();
    ++outcome_.codes[code];
    outcome_.durations.add(now - connection.begun);
    connection.state = Connection::State::waiting;
    connection.due = now;
    if (plan_.requests_per_second > 0) {
      connection.due = std::max(now, connection.first_due + period() * static_cast<std::int64_t>(connection.started));
    }
  }

  void wait(TimePoint now) {
    TimePoint next = now + std::chrono::seconds(1);
    for (const auto& connection : connections_) {
      if (connection.state == Connection::State::waiting) next = std::min(next, connection.due);
      if (is_busy(connection)) next = std::min(next, connection.begun + plan_.timeout);
    }
    std::array<epoll_event, 64> events;
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, nanoseconds(0)));
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(timeout.count()));
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.u32 == plan_.connections)
        is_stopped_ = true;
      else
        on_event(events[i].data.u32);
    }
  }

  void on_event(std::uint32_t index) {
    if (connections_[index].fd && connections_[index].state == Connection::State::sending) write(index);
    if (connections_[index].fd) read(index);
  }

  void expire(TimePoint now) {
    for (std::uint32_t i = 0; i < connections_.size(); ++i) {
      if (is_busy(connections_[i]) && now - connections_[i].begun >= plan_.timeout) fail(i, "no answer in time");
    }
  }

  static bool is_busy(const Connection& connection) {
    return connection.state == Connection::State::sending || connection.state == Connection::State::receiving;
  }

  const Plan& plan_;
  base::UniqueFd epoll_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  Outcome outcome_;
  TimePoint start_;
  std::uint32_t live_ = 0;
  bool is_stopped_ = false;
};

}  // namespace

base::Result<Outcome> run(const Plan& plan) { return Runner(plan).run(); }

}  // namespace cli::load
