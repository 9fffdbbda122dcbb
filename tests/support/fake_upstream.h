#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/socket_address.h"
#include "tests/support/gate.h"
#include "tests/support/http_text.h"
#include "tests/support/stream.h"

// A programmable HTTP/1 server on a loopback port of its own. Each connection has a thread, so that a handler is plain
// blocking code; what was received is recorded and can be waited for.
//
//   FakeUpstream upstream(in_order({reply({.status = 503}), reply({.body = "hello"})}));
//   ... a request through the proxy to upstream.address() ...
//   EXPECT_EQ(upstream.requests().size(), 2);
namespace tests::support {

struct RecordedRequest {
  std::uint64_t connection = 0;  // counts from 1
  std::uint64_t nth = 0;         // on this connection, counts from 1
  Head head;
  Body body;
  base::TimePoint received_at{};                // the head was complete
  std::optional<base::TimePoint> cancelled_at;  // the peer went away before it had been answered

  [[nodiscard]] std::string method() const { return head.word(0); }
  [[nodiscard]] std::string target() const { return head.word(1); }
};

struct Response {
  int status = 200;
  std::string reason = "OK";
  Headers headers;  // Content-Length or Transfer-Encoding are added unless given
  std::string body = "ok\n";
  std::uint64_t pattern_size = 0;  // not 0: a body of this size (body_pattern.h) in the place of `body`
  bool is_chunked = false;
  Headers trailers;  // makes it chunked
};

// One request being answered. Every function returns false when the peer has gone or the upstream is being destroyed; a
// handler should return then. Used on the connection's thread.
class Exchange {
 public:
  [[nodiscard]] const RecordedRequest& request() const { return request_; }

  // Reads the request's body first, unless `early`.
  bool respond(const Response& response, bool early = false);
  bool read_body();
  bool send(std::string_view bytes);  // as they are
  bool send_pattern(std::uint64_t size);
  bool send_head(const Response& response);  // without the body
  bool send_chunk(std::string_view bytes);
  bool send_last_chunk(const Headers& trailers = {});
  // What the peer sends next, unframed; empty when it has gone.
  std::string receive_some();

  bool wait_for(std::chrono::milliseconds time);
  bool wait_for(const Gate& gate);
  void hang();  // until the peer goes away
  void close();
  void reset();

 private:
  friend class FakeUpstream;
  Exchange(Stream& stream, RecordedRequest request, std::function<void(const RecordedRequest&)> on_change)
      : stream_(stream), request_(std::move(request)), on_change_(std::move(on_change)) {}
  bool check(Io io);

  Stream& stream_;
  RecordedRequest request_;
  std::function<void(const RecordedRequest&)> on_change_;
  bool has_read_body_ = false;
  bool has_answered_ = false;
};

using Handler = std::function<void(Exchange&)>;

// The usual handlers. They can be nested: after(100ms, reply({.status = 503})).
Handler reply(Response response = {});
Handler after(std::chrono::milliseconds delay, Handler then);
Handler after(std::shared_ptr<Gate> gate, Handler then);
Handler raw(std::string bytes);                   // in the place of a response, then close
Handler close_unanswered();                       // read the request, then FIN
Handler reset_unanswered();                       // read the request, then RST
Handler hang();                                   // read the request, never answer
Handler in_order(std::vector<Handler> handlers);  // one for each request as they arrive; the last one repeats

class FakeUpstream {
 public:
  enum class OnAccept : std::uint8_t { serve, close, reset, hang };

  explicit FakeUpstream(Handler handler = reply());
  ~FakeUpstream();  // ends every connection
  FakeUpstream(const FakeUpstream&) = delete;
  FakeUpstream& operator=(const FakeUpstream&) = delete;

  [[nodiscard]] base::SocketAddress address() const { return address_; }

  void set_handler(Handler handler);
  void set_on_accept(OnAccept what);
  // Down: connects are refused and open connections are reset. The port stays the same.
  void go_down();
  void come_up();

  [[nodiscard]] std::vector<RecordedRequest> requests() const;
  [[nodiscard]] std::uint64_t connections() const;       // accepted so far
  [[nodiscard]] std::uint64_t open_connections() const;  // of these, not closed by either side yet

  // True as soon as `condition` holds, false when it still does not after `limit`. Looked at after every change.
  bool wait_until(const std::function<bool(const FakeUpstream&)>& condition,
                  std::chrono::milliseconds limit = std::chrono::seconds(10)) const;
  bool wait_for_requests(std::size_t count) const;

 private:
  struct State;
  void accept_until_down();
  void serve(Stream& stream, std::uint64_t connection);

  base::SocketAddress address_;
  std::unique_ptr<State> state_;
};

}  // namespace tests::support
