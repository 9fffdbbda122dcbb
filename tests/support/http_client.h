#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/socket_address.h"
#include "tests/support/http_text.h"
#include "tests/support/stream.h"

namespace tests::support {

struct ClientResponse {
  Head head;
  Body body;
  std::vector<Head> informational;    // 1xx that came before
  Io end = Io::ok;                    // not ok: what happened before the response was complete
  std::chrono::milliseconds took{0};  // from the call that sent, or from receive()

  [[nodiscard]] int status() const;  // 0 when there was none
};

// A client's connection, blocking and byte for byte: what goes out is what the test wrote. Every call gives up at its
// limit, which set_limit() changes.
class HttpClient {
 public:
  // Throws when the connection is refused.
  explicit HttpClient(const base::SocketAddress& server);

  void set_limit(std::chrono::milliseconds limit) { limit_ = limit; }

  // GET with `Host: <host>` and these headers, and its response.
  ClientResponse get(std::string_view target, std::string_view host = "greeter-service", const Headers& headers = {});
  // `request` as it is, and the response to it. HEAD is recognised by its first word.
  ClientResponse exchange(std::string_view request);

  Io send(std::string_view bytes);
  Io send_pattern(std::uint64_t size);
  ClientResponse receive(bool is_head_request = false);
  // What comes next, unframed; empty when nothing came within the limit or the connection ended.
  std::string receive_some();
  // What ends the connection within the limit: closed or reset; ok when there were bytes instead; timeout.
  Io wait_for_end();

  void half_close() { stream_.half_close(); }
  void close() { stream_.close(); }
  void reset() { stream_.reset(); }
  [[nodiscard]] int fd() const { return stream_.fd(); }

 private:
  void arm() { stream_.set_deadline(base::now() + limit_); }

  Stream stream_;
  std::chrono::milliseconds limit_ = std::chrono::seconds(10);
};

}  // namespace tests::support
