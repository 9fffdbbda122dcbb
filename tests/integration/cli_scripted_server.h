#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace cli {

// One request as the server sees it; the numbers count from 0.
struct Asked {
  std::string head;
  int on_connection = 0;
  int in_all = 0;
};

// What to do with one request: bytes to answer, and whether the connection ends with it.
struct Action {
  std::string answer;
  bool closes = false;
};

// A server on loopback whose answer to each request the test decides; one thread for each connection.
class ScriptedServer {
 public:
  // `decide` is called on the connection's thread.
  explicit ScriptedServer(std::function<Action(const Asked&)> decide) : decide_(std::move(decide)) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 ||
        ::listen(listener_.get(), 128) != 0) {
      throw std::runtime_error("listen on loopback");
    }
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    for (auto& thread : threads_) thread.join();
    for (const int fd : open_) ::close(fd);
  }

  [[nodiscard]] base::SocketAddress address() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    return base::SocketAddress::from_sockaddr(storage);
  }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    std::string input;
    for (int on_connection = 0; !stopping_; ++on_connection) {
      while (input.find("\r\n\r\n") == std::string::npos) {
        char buffer[4096];
        const auto count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) return;
        input.append(buffer, static_cast<std::size_t>(count));
      }
      const auto end = input.find("\r\n\r\n") + 4;
      const auto action = decide_({input.substr(0, end), on_connection, requests_++});
      input.erase(0, end);
      ::send(fd, action.answer.data(), action.answer.size(), MSG_NOSIGNAL);
      if (action.closes) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
    }
  }

  std::function<Action(const Asked&)> decide_;
  base::UniqueFd listener_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // written by the acceptor, read when it has ended
  std::vector<int> open_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0, requests_ = 0;
};

}  // namespace cli
