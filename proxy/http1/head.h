#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// Request and response heads of HTTP/1: strict, in place, without allocation (RFC 9112; SEMANTICS 2.8, 2.10).
namespace proxy::http1 {

inline constexpr std::size_t kMaxHeaders = 100;

// Headers the proxy treats specially; everything else is `other`. Found once, while parsing.
enum class HeaderId : std::uint8_t {
  other,
  accept_well_known,  // a standard request header whose duplicates Envoy joins with a comma
  authority_host,     // Host
  connection,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded_proto,  // x-forwarded-proto
  forwarded_for,    // x-forwarded-for
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
  envoy_removed,          // the x-envoy-* request headers of SEMANTICS 2.9 that are dropped
  envoy_overloaded,       // x-envoy-overloaded
  envoy_ratelimited,      // x-envoy-ratelimited
  upstream_service_time,  // x-envoy-upstream-service-time
  grpc_status,
  grpc_timeout,
  traceparent,
  b3,
  b3_traceid,
};

// Offsets into the head's bytes, so that the head can be moved with them.
struct Header {
  std::uint32_t name_offset = 0;
  std::uint32_t value_offset = 0;
  std::uint32_t value_size = 0;
  std::uint16_t name_size = 0;
  HeaderId id = HeaderId::other;
};

enum class BodyKind : std::uint8_t {
  none,
  length,
  chunked,
  until_close,  // responses only
};

enum class HeadError : std::uint8_t {
  none,
  not_http,                   // the first line is not `token SP target SP HTTP/d.d`: pass the bytes on as TCP
  codec_error,                // 400 http1.codec_error
  invalid_characters,         // 400 http1.invalid_characters
  invalid_url,                // 400 http1.invalid_url
  invalid_authority,          // 400 http.invalid_authority
  length_and_chunked,         // 400 http1.content_length_and_chunked_not_allowed
  invalid_content_length,     // 400 http1.codec_error
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
  bool has_upgrade = false;        // Connection names upgrade and an Upgrade header is there
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
// (`leading_blank_bytes`). On `complete`, `head` is filled and every offset counts from bytes.data().
// `incomplete` may be asked again with more bytes; it never re-reads what `resume_at` already covers.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

// `is_head_request`: the request was HEAD, so there is no body whatever the head says.
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool is_head_request,
                                ResponseHead& head);

// How many bytes of CRLF stand before the request line (RFC 9112 2.2).
std::size_t leading_blank_bytes(std::string_view bytes);

inline std::string_view name_of(std::string_view bytes, const Header& header) {
  return bytes.substr(header.name_offset, header.name_size);
}
inline std::string_view value_of(std::string_view bytes, const Header& header) {
  return bytes.substr(header.value_offset, header.value_size);
}

}  // namespace proxy::http1
