#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// Request and response heads of HTTP/1: strict, in place, without allocation (RFC 9112; SEMANTICS 2.8, 2.10).
namespace proxy::http1 {

inline constexpr std::size_t kMaxHeaders = 100;

// Headers the proxy treats specially. Found once, while parsing; by its name alone, whatever the direction.
enum class HeaderId : std::uint8_t {
  other,
  authority_host,  // Host
  connection,
  content_length,
  content_type,
  date,
  expect,
  forwarded_for,    // x-forwarded-for
  forwarded_proto,  // x-forwarded-proto
  keep_alive,
  proxy_connection,
  request_id,  // x-request-id
  server,
  te,
  transfer_encoding,
  upgrade,
  user_agent,
  attempt_count,          // x-envoy-attempt-count
  decorator_operation,    // x-envoy-decorator-operation
  client_removed,         // what a client may not say: x-envoy-* of SEMANTICS 2.9, x-forwarded-client-cert
  envoy_overloaded,       // x-envoy-overloaded
  envoy_ratelimited,      // x-envoy-ratelimited
  upstream_service_time,  // x-envoy-upstream-service-time
  grpc_status,
  grpc_timeout,
  http2_settings,
  traceparent,
  b3,
  b3_traceid,  // x-b3-traceid
};

// Offsets into the head's bytes, so that the head can be moved with them.
struct Header {
  std::uint32_t name_offset = 0;
  std::uint32_t value_offset = 0;
  std::uint32_t value_size = 0;
  std::uint16_t name_size = 0;
  HeaderId id = HeaderId::other;
  std::uint8_t join_key = 0;  // not 0: lines with the same key are forwarded as one, joined by a comma
};

enum class BodyKind : std::uint8_t {
  none,
  length,
  chunked,
  until_close,  // responses only
};

enum class HeadError : std::uint8_t {
  none,
  h2_preface,                 // HTTP/2 with prior knowledge
  not_http,                   // the first line is not `token SP target SP HTTP/1.x`: pass the bytes on as TCP
  codec_error,                // 400 http1.codec_error
  invalid_characters,         // 400 http1.invalid_characters
  invalid_url,                // 400 http1.invalid_url
  invalid_authority,          // 400 http.invalid_authority
  length_and_chunked,         // 400 http1.content_length_and_chunked_not_allowed
  invalid_content_length,     // 400 http1.codec_error
  invalid_connection,         // 400 http1.connection_header_rejected
  invalid_transfer_encoding,  // 501 http1.invalid_transfer_encoding
  too_large,                  // 431 http1.headers_too_large
  too_many,                   // 431 http1.too_many_headers
};

struct HeadLimits {
  std::uint32_t max_bytes = 60 * 1024;
  std::uint32_t max_headers = kMaxHeaders;
};

// Shared by both directions.
struct Head {
  std::array<Header, kMaxHeaders> headers;
  std::uint32_t header_count = 0;
  std::uint32_t size = 0;  // bytes of the head, the empty line included
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;
  std::uint8_t minor_version = 1;  // HTTP/1.<minor>
  bool is_keep_alive = true;       // by version and Connection
  bool has_upgrade = false;        // Connection names upgrade and an Upgrade header (not h2c) is there
  bool has_duplicates = false;     // two lines share a join_key
  // Index + 1 into `headers` of the first header with this id, 0 when absent.
  std::array<std::uint8_t, 32> first_of{};

  [[nodiscard]] const Header* find(HeaderId id) const {
    const std::uint8_t index = first_of[static_cast<std::size_t>(id)];
    return index == 0 ? nullptr : &headers[index - 1];
  }
};

struct RequestHead : Head {
  std::uint32_t method_size = 0;  // the method starts at offset 0
  std::uint32_t target_offset = 0;
  std::uint32_t target_size = 0;
  bool expects_continue = false;
  bool is_head_method = false;
  bool is_websocket_upgrade = false;
  // CONNECT or Upgrade: what follows the head has no framing and no end, whatever the head says.
  bool is_open_ended = false;
};

struct ResponseHead : Head {
  std::uint16_t status = 0;
};

enum class ParseStatus : std::uint8_t { incomplete, complete, error };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  HeadError error = HeadError::none;
};

// Parses one head at the front of `bytes`. Empty lines before a request line are skipped by the caller
// (`leading_blank_bytes`). On `complete`, `head` is filled and every offset counts from bytes.data(); otherwise `head`
// holds nothing of use. More bytes never change an `error`. Headers that Connection names are not in `head.headers`.
// On `incomplete` ask again with more bytes, but only when PartialHead says so.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

// `is_head_request`: the request was HEAD, so there is no body whatever the head says.
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool is_head_request,
                                ResponseHead& head);

// For a caller that waits for the rest of a head: whether what has arrived since can make the parser say anything but
// `incomplete`. Looks at every byte once and says yes at most 130 times per head, so that a head that comes byte by
// byte costs linear time.
class PartialHead {
 public:
  // `bytes`: all of this head that is here. The first call says yes.
  bool has_news(std::string_view bytes, const HeadLimits& limits);
  [[nodiscard]] bool has_begun() const { return seen_ != 0; }
  [[nodiscard]] bool has_first_line() const { return has_first_line_; }
  void reset() { *this = {}; }

 private:
  std::uint32_t seen_ = 0;
  bool has_first_line_ = false;
};

// How many bytes of CRLF stand before the request line (RFC 9112 2.2).
std::size_t leading_blank_bytes(std::string_view bytes);

inline std::string_view name_of(std::string_view bytes, const Header& header) {
  return bytes.substr(header.name_offset, header.name_size);
}
inline std::string_view value_of(std::string_view bytes, const Header& header) {
  return bytes.substr(header.value_offset, header.value_size);
}

}  // namespace proxy::http1
