#include "tests/support/http_client.h"

#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tests::support {
namespace {

base::UniqueFd connected_socket(const base::SocketAddress& server) {
  base::UniqueFd socket(::socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t size = server.to_sockaddr(storage);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    throw std::runtime_error("connect " + server.to_string() + ": " + std::strerror(errno));
  }
  return socket;
}

}  // namespace

int ClientResponse::status() const {
  const std::string word = head.word(1);
  int value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

HttpClient::HttpClient(const base::SocketAddress& server) : stream_(connected_socket(server)) {}

ClientResponse HttpClient::get(std::string_view target, std::string_view host, const Headers& headers) {
  return exchange("GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
                  format_headers(headers) + "\r\n");
}

ClientResponse HttpClient::exchange(std::string_view request) {
  const base::TimePoint started = base::now();
  ClientResponse response;
  const Io sent = send(request);
  if (sent == Io::timeout) {
    response.end = sent;
  } else {
    // A response may come, and the connection end, before all of the request was taken. The kernel tells of a reset
    // once: when sending was told, reading sees a plain end.
    response = receive(request.starts_with("HEAD "));
    if (sent == Io::reset && response.end == Io::closed) response.end = Io::reset;
  }
  response.took = std::chrono::duration_cast<std::chrono::milliseconds>(base::now() - started);
  return response;
}

Io HttpClient::send(std::string_view bytes) {
  arm();
  return stream_.send(bytes);
}

Io HttpClient::send_pattern(std::uint64_t size) {
  arm();
  return stream_.send_pattern(size);
}

ClientResponse HttpClient::receive(bool is_head_request) {
  arm();
  const base::TimePoint started = base::now();
  ClientResponse response;
  while (true) {
    std::string text;
    response.end = stream_.read_head(text);
    if (response.end != Io::ok) break;
    response.head = parse_head(text);
    const int status = response.status();
    if (status >= 100 && status < 200 && status != 101) {
      response.informational.push_back(std::exchange(response.head, {}));
      continue;
    }
    const bool has_body = !is_head_request && status != 101 && status != 204 && status != 304;
    if (has_body) response.end = stream_.read_body(response.head, true, response.body);
    break;
  }
  response.took = std::chrono::duration_cast<std::chrono::milliseconds>(base::now() - started);
  return response;
}

std::string HttpClient::receive_some() {
  arm();
  std::string bytes;
  return stream_.read_some(bytes) == Io::ok ? bytes : std::string();
}

Io HttpClient::wait_for_end() {
  arm();
  std::string bytes;
  return stream_.read_some(bytes);
}

}  // namespace tests::support
