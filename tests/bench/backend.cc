// The endpoint of every measurement: answers each empty line, the end of an HTTP/1.1 request's head, with a fixed
// response; /64k in front of it asks for 64 KiB in the place of 1 KiB, /huge for a terabyte. One thread.
// usage: backend LISTEN_ADDRESS:PORT
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <vector>

#include "tests/bench/shell.h"

namespace {

std::array<char, 64UL * 1024> scratch;

constexpr std::uint64_t kHugeBytes = 1ULL << 40U;

std::string head_of(std::uint64_t body_bytes) {
  return "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: " + std::to_string(body_bytes) +
         "\r\n\r\n";
}

const std::string kPiece(64UL * 1024, 'x');
const std::string kSmall = head_of(1024) + kPiece.substr(0, 1024);
const std::string kLarge = head_of(kPiece.size()) + kPiece;
const std::string kHuge = head_of(kHugeBytes);

struct Connection {
  base::UniqueFd socket;
  std::string partial;            // a head whose end has not come
  std::string queue;              // what the socket did not take yet
  std::uint64_t huge_pieces = 0;  // after that
};

bool flush(Connection& connection) {
  for (;;) {
    if (connection.queue.empty()) {
      if (connection.huge_pieces == 0) return true;
      --connection.huge_pieces;
      connection.queue = kPiece;
    }
    const ssize_t sent =
        ::send(connection.socket.get(), connection.queue.data(), connection.queue.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    connection.queue.erase(0, static_cast<std::size_t>(sent));
  }
}

bool answer(Connection& connection, const std::string& response) {
  std::size_t sent = 0;
  if (connection.queue.empty()) {
    const ssize_t count = ::send(connection.socket.get(), response.data(), response.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) return false;
    sent = count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  if (sent < response.size()) connection.queue.append(response, sent);
  return true;
}

bool answer_target(Connection& connection, std::string_view head) {
  if (head.find("/huge ") != std::string_view::npos) {
    connection.queue += kHuge;
    connection.huge_pieces = kHugeBytes / kPiece.size();
    return flush(connection);
  }
  return answer(connection, head.find("/64k ") != std::string_view::npos ? kLarge : kSmall);
}

// False: the connection is over.
bool read_all(Connection& connection) {
  for (;;) {
    const ssize_t count = ::recv(connection.socket.get(), scratch.data(), scratch.size(), 0);
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    std::string_view rest(scratch.data(), static_cast<std::size_t>(count));
    if (!connection.partial.empty()) {
      connection.partial.append(rest);
      rest = connection.partial;
    }
    for (std::size_t end = rest.find("\r\n\r\n"); end != std::string_view::npos; end = rest.find("\r\n\r\n")) {
      if (!answer_target(connection, rest.substr(0, end))) return false;
      rest.remove_prefix(end + 4);
    }
    connection.partial = std::string(rest);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: backend LISTEN_ADDRESS:PORT\n");
    return 2;
  }
  const base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const base::UniqueFd listener = bench::listen_at(bench::address_of(argv[1]), epoll.get());
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      auto* const connection = static_cast<Connection*>(event.data.ptr);
      if (connection == nullptr) {
        while (base::UniqueFd socket = bench::accept_from(listener.get())) {
          const int fd = socket.get();
          bench::watch(epoll.get(), fd,
                       new Connection{.socket = std::move(socket), .partial = {}, .queue = {}, .huge_pieces = 0});
        }
        continue;
      }
      bool is_alive = (event.events & EPOLLERR) == 0 && flush(*connection);
      if (is_alive && (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) is_alive = read_all(*connection);
      if (!is_alive) delete connection;  // each descriptor has one event in a batch
    }
  }
}
