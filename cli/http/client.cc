#include "cli/http/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/http/response_reader.h"

namespace cli::http {
namespace {

constexpr std::size_t kMaxBodyBytes = 256UL * 1024 * 1024;

// Waits for `events`, at most until the deadline.
base::Result<> wait_for(int fd, short events, base::TimePoint deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::now());
    if (left.count() <= 0) return base::fail(base::Errc::unavailable, "no answer in time");
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return base::fail_errno("poll");
  }
}

base::Result<base::UniqueFd> connect(const base::SocketAddress& address, base::TimePoint deadline) {
  base::UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno("socket");
  sockaddr_storage storage{};
  const socklen_t length = address.to_sockaddr(storage);
  const std::string what = "connect to " + address.to_string();
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    if (errno != EINPROGRESS) return base::fail_errno(what);
    if (auto ready = wait_for(fd.get(), POLLOUT, deadline); !ready) return tl::unexpected(ready.error());
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return base::fail_errno(what, error);
  }
  return fd;
}

base::Result<> send_all(int fd, std::string_view bytes, base::TimePoint deadline) {
  while (!bytes.empty()) {
    const auto count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(fd, POLLOUT, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return base::fail_errno("send");
    }
  }
  return {};
}

base::Result<> receive(int fd, ResponseReader& reader, base::TimePoint deadline) {
  std::vector<char> buffer(64 * 1024);
  while (reader.state() == ResponseReader::State::head || reader.state() == ResponseReader::State::body) {
    if (auto ready = wait_for(fd, POLLIN, deadline); !ready) return ready;
    const auto count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      reader.feed({buffer.data(), static_cast<std::size_t>(count)});
    } else if (count == 0) {
      reader.finish();
    } else if (errno != EAGAIN && errno != EINTR) {
      return base::fail_errno("recv");
    }
  }
  if (reader.state() == ResponseReader::State::failed) return base::fail(base::Errc::io, reader.failure());
  return {};
}

}  // namespace

std::string request_head(std::string_view method, std::string_view target, std::string_view host,
                         const std::vector<std::string>& headers) {
  std::string head = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
  const bool has_host = std::any_of(headers.begin(), headers.end(), [](std::string_view line) {
    return equals_ignoring_case(line.substr(0, line.find(':')), "host");
  });
  if (!has_host) head += "Host: " + std::string(host) + "\r\n";
  for (const auto& line : headers) head += line + "\r\n";
  return head + "\r\n";
}

base::Result<Response> get(const Request& request) {
  const auto deadline = base::now() + request.timeout;
  auto fd = connect(request.address, deadline);
  if (!fd) return tl::unexpected(fd.error());
  auto headers = request.headers;
  headers.emplace_back("Connection: close");
  const auto host = request.host.empty() ? request.address.to_string() : request.host;
  const auto head = request_head("GET", request.target, host, headers);
  if (auto sent = send_all(fd->get(), head, deadline); !sent) return tl::unexpected(sent.error());
  ResponseReader reader(kMaxBodyBytes);
  reader.start(false);
  if (auto received = receive(fd->get(), reader, deadline); !received) return tl::unexpected(received.error());
  Response response{reader.status(), reader.status_line() + "\r\n", reader.body()};
  for (const auto& [name, value] : reader.headers())
    response.head.append(name).append(": ").append(value).append("\r\n");
  return response;
}

}  // namespace cli::http
