#include "proxy/http1/write.h"

#include <algorithm>
#include <charconv>

#include "proxy/http1/wire_writer.h"

namespace proxy::http1 {
namespace {

// More than all that is added to a head beside the strings of the caller: names of headers, numbers, framing.
constexpr std::size_t kAddedBytes = 512;

// A header grows by at most the blank after its colon, or by the comma that joins it to another.
std::size_t bound_of(std::string_view bytes, const Head& head) {
  return bytes.size() + head.header_count + kAddedBytes;
}

// The values of all lines with the key of header `first`, empty ones left out, as Envoy joins them.
void put_joined(WireWriter& out, std::string_view bytes, const Head& head, std::uint32_t first) {
  const std::uint8_t key = head.headers[first].join_key;
  bool has_value = false;
  for (std::uint32_t i = first; i < head.header_count; ++i) {
    const Header& header = head.headers[i];
    if (header.join_key != key || header.value_size == 0) continue;
    if (has_value) out.put(',');
    out.put_run(value_of(bytes, header));
    has_value = true;
  }
}

bool is_joined_to_earlier(const Head& head, std::uint32_t index) {
  const std::uint8_t key = head.headers[index].join_key;
  if (key == 0) return false;
  for (std::uint32_t i = 0; i < index; ++i) {
    if (head.headers[i].join_key == key) return true;
  }
  return false;
}

void put_copy(WireWriter& out, std::string_view bytes, const Head& head, std::uint32_t index) {
  const Header& header = head.headers[index];
  if (head.has_duplicates && is_joined_to_earlier(head, index)) return;
  out.put_lower(name_of(bytes, header));
  out.put(": ");
  if (head.has_duplicates && header.join_key != 0) {
    put_joined(out, bytes, head, index);
  } else {
    out.put_run(value_of(bytes, header));
  }
  out.put("\r\n");
}

bool accepts_trailers(std::string_view bytes, const Head& head) {
  bool is_accepted = false;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (head.headers[i].id != HeaderId::te) continue;
    for_each_element(value_of(bytes, head.headers[i]),
                     [&](std::string_view coding) { is_accepted |= coding == "trailers"; });
  }
  return is_accepted;
}

// Everybody who reads a request without a length takes it as one without a body; only for these methods Envoy leaves
// that unsaid.
bool goes_without_length(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "DELETE" || method == "TRACE" || method == "CONNECT";
}

bool is_empty_te(std::string_view bytes, const Head& head) {
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (head.headers[i].id == HeaderId::te && !value_of(bytes, head.headers[i]).empty()) return false;
  }
  return true;
}

bool is_kept_in_request(const Header& header, const RequestEdits& edits) {
  switch (header.id) {
    case HeaderId::authority_host:
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::te:
    case HeaderId::transfer_encoding:
    case HeaderId::attempt_count:
    case HeaderId::client_removed:
      return false;
    case HeaderId::connection:
    case HeaderId::upgrade:
      return edits.keeps_upgrade;
    case HeaderId::request_id:
      return edits.request_id.empty();
    case HeaderId::grpc_timeout:
      return !edits.sets_grpc_timeout || edits.expected_timeout_ms == 0;
    case HeaderId::decorator_operation:
      return edits.decorator_operation.empty();
    default:
      return true;
  }
}

bool is_kept_in_response(const Header& header, const ResponseHead& head, const ResponseEdits& edits) {
  switch (header.id) {
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::transfer_encoding:
    case HeaderId::server:
    case HeaderId::decorator_operation:
    case HeaderId::upstream_service_time:
      return false;
    case HeaderId::connection:
    case HeaderId::upgrade:
      return edits.keeps_upgrade;
    case HeaderId::content_length:
      return !edits.is_chunked && !edits.is_bodiless && head.status >= 200 && head.status != 204;
    default:
      return true;
  }
}

bool is_kept_in_informational(HeaderId id) {
  return id != HeaderId::connection && id != HeaderId::keep_alive && id != HeaderId::proxy_connection &&
         id != HeaderId::upgrade && id != HeaderId::content_length;
}

void put_status_line(WireWriter& out, std::uint16_t status, bool to_http10) {
  out.put(to_http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  out.put_number(status);
  out.put(' ');
  out.put(reason_phrase(status));
  out.put("\r\n");
}

// A 1.0 client takes the connection for closed unless told otherwise, a 1.1 client for kept.
void put_connection(WireWriter& out, bool closes, bool to_http10) {
  if (closes) {
    out.put("connection: close\r\n");
  } else if (to_http10) {
    out.put("connection: keep-alive\r\n");
  }
}

// Visible ASCII but '%' goes as it is (the gRPC protocol's Percent-Encoded).
void put_grpc_message(WireWriter& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      out.put(c);
      continue;
    }
    out.put('%');
    out.put(kHex[static_cast<std::uint8_t>(c) >> 4]);
    out.put(kHex[static_cast<std::uint8_t>(c) & 0xf]);
  }
}

}  // namespace

void append_request_head(std::string& out, std::string_view bytes, const RequestHead& head, const RequestEdits& edits) {
  const std::size_t added =
      edits.path.size() + edits.host.size() + edits.request_id.size() + edits.decorator_operation.size();
  WireWriter wire(out, bound_of(bytes, head) + edits.method.size() + added, bytes);
  wire.put(edits.method);
  wire.put(' ');
  wire.put(edits.path);
  wire.put(" HTTP/1.1\r\nhost: ");
  wire.put(edits.host);
  wire.put("\r\n");
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (is_kept_in_request(head.headers[i], edits)) put_copy(wire, bytes, head, i);
  }
  if (head.find(HeaderId::te) != nullptr) {
    if (accepts_trailers(bytes, head)) {
      wire.put("te: trailers\r\n");
    } else if (is_empty_te(bytes, head)) {
      wire.put("te: \r\n");
    }
  }
  if (head.find(HeaderId::forwarded_proto) == nullptr) wire.put("x-forwarded-proto: http\r\n");
  if (!edits.request_id.empty()) wire.put_header("x-request-id", edits.request_id);
  if (!edits.decorator_operation.empty()) wire.put_header("x-envoy-decorator-operation", edits.decorator_operation);
  if (edits.expected_timeout_ms > 0) {
    wire.put_header("x-envoy-expected-rq-timeout-ms", edits.expected_timeout_ms);
    if (edits.sets_grpc_timeout) {
      wire.put("grpc-timeout: ");
      wire.put_number(edits.expected_timeout_ms);
      wire.put("m\r\n");
    }
  }
  wire.put_header("x-envoy-attempt-count", edits.attempt);
  if (head.body == BodyKind::chunked) {
    wire.put("transfer-encoding: chunked\r\n");
  } else if (head.body == BodyKind::none && !edits.keeps_upgrade && !goes_without_length(edits.method)) {
    wire.put("content-length: 0\r\n");
  }
  wire.put("\r\n");
}

void append_response_head(std::string& out, std::string_view bytes, const ResponseHead& head,
                          const ResponseEdits& edits) {
  WireWriter wire(out, bound_of(bytes, head) + edits.server.size() + edits.date.size(), bytes);
  put_status_line(wire, head.status, edits.to_http10);
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (is_kept_in_response(head.headers[i], head, edits)) put_copy(wire, bytes, head, i);
  }
  if (edits.adds_overloaded) wire.put("x-envoy-overloaded: true\r\n");
  if (edits.upstream_service_time_ms >= 0) {
    wire.put_header("x-envoy-upstream-service-time", edits.upstream_service_time_ms);
  }
  if (head.find(HeaderId::date) == nullptr) wire.put_header("date", edits.date);
  wire.put_header("server", edits.server);
  if (!edits.keeps_upgrade) put_connection(wire, edits.closes, edits.to_http10);
  if (edits.is_chunked && !edits.to_http10) wire.put("transfer-encoding: chunked\r\n");
  if (edits.is_bodiless && head.status != 204 && head.status != 304) wire.put("content-length: 0\r\n");
  wire.put("\r\n");
}

void append_informational_head(std::string& out, std::string_view bytes, const ResponseHead& head) {
  WireWriter wire(out, bound_of(bytes, head), bytes);
  put_status_line(wire, head.status, false);
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (is_kept_in_informational(head.headers[i].id)) put_copy(wire, bytes, head, i);
  }
  wire.put("\r\n");
}

void append_local_reply(std::string& out, const LocalReply& reply, std::string_view server, std::string_view date) {
  const std::size_t text_bytes = reply.is_grpc ? reply.body.size() * 3 : reply.body.size();
  WireWriter wire(out, kAddedBytes + text_bytes + server.size() + date.size(), {});
  const bool has_body = !reply.is_grpc && !reply.body.empty();
  put_status_line(wire, reply.is_grpc ? std::uint16_t{200} : reply.status, reply.to_http10);
  if (has_body) {
    wire.put_header("content-length", static_cast<std::int64_t>(reply.body.size()));
    wire.put("content-type: text/plain\r\n");
  } else if (reply.is_grpc) {
    wire.put("content-type: application/grpc\r\n");
    wire.put_header("grpc-status", reply.grpc_status.value_or(grpc_status_for(reply.status)));
    if (!reply.body.empty()) {
      wire.put("grpc-message: ");
      put_grpc_message(wire, reply.body);
      wire.put("\r\n");
    }
  }
  if (reply.is_overloaded) wire.put("x-envoy-overloaded: true\r\n");
  wire.put_header("date", date);
  wire.put_header("server", server);
  put_connection(wire, reply.closes, reply.to_http10);
  if (!has_body) {
    // To HEAD Envoy does not say that the body would have been empty, but that there might have been one.
    if (!reply.is_head_request) {
      wire.put("content-length: 0\r\n");
    } else if (!reply.to_http10) {
      wire.put("transfer-encoding: chunked\r\n");
    }
  }
  wire.put("\r\n");
  if (has_body && !reply.is_head_request) wire.put(reply.body);
}

std::optional<std::chrono::milliseconds> parse_grpc_timeout(std::string_view value) {
  constexpr std::size_t kMaxDigits = 8;
  std::int64_t amount = 0;
  const auto [unit, error] = std::from_chars(value.data(), value.data() + value.size(), amount);
  if (error != std::errc{} || amount < 0 || unit + 1 != value.data() + value.size()) return std::nullopt;
  if (static_cast<std::size_t>(unit - value.data()) > kMaxDigits) return std::nullopt;
  std::chrono::nanoseconds timeout{};
  switch (*unit) {
    case 'H':
      timeout = std::chrono::hours{1};
      break;
    case 'M':
      timeout = std::chrono::minutes{1};
      break;
    case 'S':
      timeout = std::chrono::seconds{1};
      break;
    case 'm':
      timeout = std::chrono::milliseconds{1};
      break;
    case 'u':
      timeout = std::chrono::microseconds{1};
      break;
    case 'n':
      timeout = std::chrono::nanoseconds{1};
      break;
    default:
      return std::nullopt;
  }
  constexpr std::int64_t kMaxHours = 24 * 365 * 100;
  if (*unit == 'H') amount = std::min(amount, kMaxHours);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(amount * timeout);
  return whole.count() > 0 ? std::optional(whole) : std::nullopt;
}

bool has_request_id(std::string_view bytes, const Head& head) {
  if (head.find(HeaderId::request_id) == nullptr) return false;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (head.headers[i].id == HeaderId::request_id && !value_of(bytes, head.headers[i]).empty()) return true;
  }
  return false;
}

bool joined_value(std::string_view bytes, const Head& head, std::string_view lower_name, std::string& storage,
                  std::string_view& value) {
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    const Header& header = head.headers[i];
    if (header.name_size != lower_name.size() || header.id == HeaderId::client_removed) continue;
    if (!equals_ignoring_case(name_of(bytes, header), lower_name)) continue;
    if (found++ == 0) {
      value = value_of(bytes, header);
      continue;
    }
    if (found == 2) storage = value;
    storage += header.join_key != 0 ? ',' : '\n';
    storage += value_of(bytes, header);
    value = storage;
  }
  return found != 0;
}

}  // namespace proxy::http1
