#include "tests/support/fake_upstream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/support/body_pattern.h"

namespace tests::support {
namespace {

base::UniqueFd bound_socket(const base::SocketAddress& address) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) throw std::runtime_error("bind");
  return socket;
}

base::SocketAddress local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return base::SocketAddress::from_sockaddr(storage);
}

}  // namespace

bool Exchange::check(Io io) {
  if (io == Io::ok) return true;
  if (io != Io::stopped && !has_answered_ && !request_.cancelled_at) {
    request_.cancelled_at = base::now();
    on_change_(request_);
  }
  return false;
}

bool Exchange::read_body() {
  if (std::exchange(has_read_body_, true)) return true;
  if (const auto expect = request_.head.header("expect");
      expect && equals_ignoring_case(*expect, "100-continue") && !send("HTTP/1.1 100 Continue\r\n\r\n")) {
    return false;
  }
  const Io io = stream_.read_body(request_.head, false, request_.body);
  on_change_(request_);
  return check(io);
}

bool Exchange::send(std::string_view bytes) { return check(stream_.send(bytes)); }
bool Exchange::send_pattern(std::uint64_t size) { return check(stream_.send_pattern(size)); }

bool Exchange::send_head(const Response& response) {
  Headers headers = response.headers;
  const Head given{.headers = headers};
  if (!given.has("content-length") && !given.has("transfer-encoding") && response.status != 204) {
    if (response.is_chunked || !response.trailers.empty()) {
      headers.emplace_back("transfer-encoding", "chunked");
    } else {
      const std::uint64_t size = response.pattern_size > 0 ? response.pattern_size : response.body.size();
      headers.emplace_back("content-length", std::to_string(size));
    }
  }
  return send("HTTP/1.1 " + std::to_string(response.status) + " " + response.reason + "\r\n" + format_headers(headers) +
              "\r\n");
}

bool Exchange::send_chunk(std::string_view bytes) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return bytes.empty() || send(size.data() + std::string(bytes) + "\r\n");
}

bool Exchange::send_last_chunk(const Headers& trailers) { return send("0\r\n" + format_headers(trailers) + "\r\n"); }

bool Exchange::respond(const Response& response, bool early) {
  if (!early && !read_body()) return false;
  if (!send_head(response)) return false;
  has_answered_ = true;
  if (request_.method() == "HEAD" || response.status == 204 || response.status == 304) return true;
  if (!response.is_chunked && response.trailers.empty()) {
    return response.pattern_size > 0 ? send_pattern(response.pattern_size) : send(response.body);
  }
  for (std::uint64_t offset = 0; offset < response.pattern_size;) {
    const std::string_view bytes = pattern_at(offset, response.pattern_size - offset);
    if (!send_chunk(bytes)) return false;
    offset += bytes.size();
  }
  if (response.pattern_size == 0 && !send_chunk(response.body)) return false;
  return send_last_chunk(response.trailers);
}

std::string Exchange::receive_some() {
  std::string bytes;
  return check(stream_.read_some(bytes)) ? bytes : std::string();
}

bool Exchange::wait_for(std::chrono::milliseconds time) { return check(stream_.wait(base::now() + time)); }
bool Exchange::wait_for(const Gate& gate) { return check(stream_.wait(base::TimePoint::max(), gate.fd())); }
void Exchange::hang() { check(stream_.wait(base::TimePoint::max())); }
void Exchange::close() { stream_.close(); }
void Exchange::reset() { stream_.reset(); }

Handler reply(Response response) {
  return [response = std::move(response)](Exchange& exchange) { exchange.respond(response); };
}

Handler after(std::chrono::milliseconds delay, Handler then) {
  return [delay, then = std::move(then)](Exchange& exchange) {
    if (exchange.read_body() && exchange.wait_for(delay)) then(exchange);
  };
}

Handler after(std::shared_ptr<Gate> gate, Handler then) {
  return [gate = std::move(gate), then = std::move(then)](Exchange& exchange) {
    if (exchange.read_body() && exchange.wait_for(*gate)) then(exchange);
  };
}

Handler raw(std::string bytes) {
  return [bytes = std::move(bytes)](Exchange& exchange) {
    if (exchange.read_body()) exchange.send(bytes);
    exchange.close();
  };
}

Handler close_unanswered() {
  return [](Exchange& exchange) {
    exchange.read_body();
    exchange.close();
  };
}

Handler reset_unanswered() {
  return [](Exchange& exchange) {
    exchange.read_body();
    exchange.reset();
  };
}

Handler hang() {
  return [](Exchange& exchange) {
    if (exchange.read_body()) exchange.hang();
  };
}

Handler in_order(std::vector<Handler> handlers) {
  auto next = std::make_shared<std::atomic<std::size_t>>(0);
  return [handlers = std::move(handlers), next = std::move(next)](Exchange& exchange) {
    handlers.at(std::min(next->fetch_add(1), handlers.size() - 1))(exchange);
  };
}

struct FakeUpstream::State {
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  // All below is guarded by `mutex`.
  Handler handler;
  OnAccept on_accept = OnAccept::serve;
  std::vector<RecordedRequest> requests;
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;

  // One time up: opening the gate ends its threads. Touched by the test's thread, read by theirs.
  base::UniqueFd socket;  // bound; listening while up
  std::unique_ptr<Gate> down;
  std::thread acceptor;
  std::vector<std::thread> servers;  // the acceptor's, until it has ended
};

FakeUpstream::FakeUpstream(Handler handler) : state_(std::make_unique<State>()) {
  state_->handler = std::move(handler);
  state_->socket = bound_socket({.ip = base::IpAddress::parse("127.0.0.1").value(), .port = 0});
  address_ = local_address(state_->socket.get());
  come_up();
}

FakeUpstream::~FakeUpstream() { go_down(); }

void FakeUpstream::come_up() {
  if (state_->down) return;
  if (listen(state_->socket.get(), SOMAXCONN) != 0) throw std::runtime_error("listen");
  state_->down = std::make_unique<Gate>();
  state_->acceptor = std::thread([this] { accept_until_down(); });
}

void FakeUpstream::go_down() {
  if (!state_->down) return;
  state_->down->open();
  state_->acceptor.join();
  for (std::thread& server : state_->servers) server.join();
  state_->servers.clear();
  state_->down.reset();
  // A socket that is bound but does not listen refuses, and keeps the port ours.
  state_->socket.reset();
  state_->socket = bound_socket(address_);
}

void FakeUpstream::accept_until_down() {
  const int down = state_->down->fd();
  std::array<pollfd, 2> entries{{{.fd = state_->socket.get(), .events = POLLIN}, {.fd = down, .events = POLLIN}}};
  while (true) {
    poll(entries.data(), entries.size(), -1);
    if (entries[1].revents != 0) return;
    base::UniqueFd socket(accept4(state_->socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) continue;
    std::uint64_t connection = 0;
    {
      const std::scoped_lock lock(state_->mutex);
      connection = ++state_->accepted;
      ++state_->open;
    }
    state_->changed.notify_all();
    state_->servers.emplace_back([this, connection, stream = Stream(std::move(socket), down)]() mutable {
      serve(stream, connection);
      stream.close();
      {
        const std::scoped_lock lock(state_->mutex);
        --state_->open;
      }
      state_->changed.notify_all();
    });
  }
}

void FakeUpstream::serve(Stream& stream, std::uint64_t connection) {
  OnAccept on_accept{};
  {
    const std::scoped_lock lock(state_->mutex);
    on_accept = state_->on_accept;
  }
  if (on_accept == OnAccept::close) return;
  if (on_accept == OnAccept::reset) return stream.reset();
  if (on_accept == OnAccept::hang) stream.wait(base::TimePoint::max());

  for (std::uint64_t nth = 1; stream.is_open(); ++nth) {
    std::string text;
    if (stream.read_head(text) != Io::ok) break;
    RecordedRequest request{.connection = connection, .nth = nth, .head = parse_head(text), .received_at = base::now()};
    std::size_t index = 0;
    Handler handler;
    {
      const std::scoped_lock lock(state_->mutex);
      index = state_->requests.size();
      state_->requests.push_back(request);
      handler = state_->handler;
    }
    state_->changed.notify_all();
    const bool is_last = [&] {
      const auto named = request.head.header("connection");
      return named && equals_ignoring_case(*named, "close");
    }();
    Exchange exchange(stream, std::move(request), [this, index](const RecordedRequest& changed) {
      {
        const std::scoped_lock lock(state_->mutex);
        state_->requests[index] = changed;
      }
      state_->changed.notify_all();
    });
    handler(exchange);
    if (!stream.is_open() || !exchange.read_body() || is_last) break;
  }
  if (state_->down->is_open() && stream.is_open()) stream.reset();
}

void FakeUpstream::set_handler(Handler handler) {
  const std::scoped_lock lock(state_->mutex);
  state_->handler = std::move(handler);
}

void FakeUpstream::set_on_accept(OnAccept what) {
  const std::scoped_lock lock(state_->mutex);
  state_->on_accept = what;
}

std::vector<RecordedRequest> FakeUpstream::requests() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->requests;
}

std::uint64_t FakeUpstream::connections() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->accepted;
}

std::uint64_t FakeUpstream::open_connections() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->open;
}

bool FakeUpstream::wait_until(const std::function<bool(const FakeUpstream&)>& condition,
                              std::chrono::milliseconds limit) const {
  const base::TimePoint deadline = base::now() + limit;
  while (!condition(*this)) {
    std::unique_lock lock(state_->mutex);
    // A change between the look and the wait is seen at the latest when this short wait ends.
    const base::TimePoint next_look = base::now() + std::chrono::milliseconds(20);
    if (state_->changed.wait_until(lock, std::min(deadline, next_look)) == std::cv_status::timeout &&
        base::now() >= deadline) {
      return false;
    }
  }
  return true;
}

bool FakeUpstream::wait_for_requests(std::size_t count) const {
  return wait_until([count](const FakeUpstream& upstream) { return upstream.requests().size() >= count; });
}

}  // namespace tests::support
