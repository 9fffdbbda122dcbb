#include <algorithm>
#include <cstring>

#include "proxy/http1/fields.h"
#include "proxy/http1/head.h"
#include "proxy/http1/scan.h"

namespace proxy::http1 {
namespace {

// Longer than any registered method; bytes that go on without a blank are some other protocol.
constexpr std::size_t kMaxMethodBytes = 32;
// As Envoy: a Connection header with more elements than that is an attack, not a list of options.
constexpr std::uint16_t kMaxConnectionNames = 9;

constexpr ParseResult kNotHttp{ParseStatus::error, HeadError::not_http};

const char* skip_blanks(const char* at, const char* end) {
  while (at != end && is_blank(*at)) ++at;
  return at;
}

// Whether `target` is, or (not `is_whole`) can still become, a target that somebody who speaks HTTP would send:
// "/path", "*", "scheme://authority...", and "authority" for CONNECT. Its characters have been checked.
bool is_plausible_target(std::string_view target, bool is_connect, bool is_whole) {
  if (target.empty()) return !is_whole;
  if (target.front() == '/' || target.front() == '*') return true;
  const char* at = target.data();
  const char* const end = at + target.size();
  if (!is_connect) {
    const auto is_letter = [](char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; };
    const auto is_in_scheme = [&](char c) {
      return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    };
    if (!is_letter(*at)) return false;
    at = std::find_if_not(at, end, is_in_scheme);
    constexpr std::string_view kDelimiter = "://";
    const auto size = std::min(kDelimiter.size(), static_cast<std::size_t>(end - at));
    if (std::string_view(at, size) != kDelimiter.substr(0, size)) return false;
    if (size < kDelimiter.size()) return !is_whole;
    at += size;
  }
  const char* const authority_end = find_outside_class(at, end, kHost);
  return authority_end == end || *authority_end == '/' || *authority_end == '?';
}

// The first line. Blanks that do not belong and a bare LF make it a bad request line (400); anything else that is no
// request line is no HTTP, said at the first byte that shows it, because a client of another protocol may be waiting.
ParseResult parse_request_line(const char* base, const char* end, RequestHead& head, std::size_t& size) {
  bool is_strict = true;
  const char* at = find_end_of_token(base, std::min(end, base + kMaxMethodBytes + 1));
  head.method_size = static_cast<std::uint32_t>(at - base);
  if (head.method_size > kMaxMethodBytes) return kNotHttp;
  if (at == end) return kIncomplete;
  if (head.method_size == 0) return *at == '\r' && at + 1 == end ? kIncomplete : kNotHttp;
  if (!is_blank(*at)) return kNotHttp;
  const std::string_view method(base, head.method_size);

  const char* const target = skip_blanks(at, end);
  is_strict &= target - at == 1 && *at == ' ';
  at = find_end_of_target(target, end);
  head.target_offset = static_cast<std::uint32_t>(target - base);
  head.target_size = static_cast<std::uint32_t>(at - target);
  if (!is_plausible_target({target, head.target_size}, method == "CONNECT", at != end)) return kNotHttp;
  if (at == end) return kIncomplete;
  if (!is_blank(*at)) return kNotHttp;

  const char* const version = skip_blanks(at, end);
  is_strict &= version - at == 1 && *at == ' ';
  const bool is_preface = method == "PRI" && std::string_view(target, head.target_size) == "*";
  const std::string_view wanted = is_preface ? "HTTP/2.0" : "HTTP/1.";
  const auto available = std::min(wanted.size(), static_cast<std::size_t>(end - version));
  if (std::memcmp(version, wanted.data(), available) != 0) return kNotHttp;
  at = version + available;
  if (at == end) return kIncomplete;
  if (is_preface) return is_strict ? head_error(HeadError::h2_preface) : kNotHttp;
  if (*at != '0' && *at != '1') return kNotHttp;
  head.minor_version = static_cast<std::uint8_t>(*at++ - '0');

  const char* const line_end = skip_blanks(at, end);
  is_strict &= line_end == at;
  if (line_end == end) return kIncomplete;
  if (*line_end == '\n') return head_error(HeadError::codec_error);
  if (*line_end != '\r') return kNotHttp;
  if (line_end + 1 == end) return kIncomplete;
  if (line_end[1] != '\n') return kNotHttp;
  if (!is_strict) return head_error(HeadError::codec_error);
  size = static_cast<std::size_t>(line_end + 2 - base);
  return kComplete;
}

HeadError decide_request(std::string_view bytes, const FieldFacts& facts, RequestHead& head) {
  if (facts.transfer_encodings != 0) {
    if (facts.has_content_length) return HeadError::length_and_chunked;
    if (facts.transfer_encodings != 1 || !facts.is_chunked) return HeadError::invalid_transfer_encoding;
    if (head.minor_version == 0) return HeadError::codec_error;  // RFC 9112 6.1: framing is faulty
    head.body = BodyKind::chunked;
  } else if (facts.has_content_length) {
    head.body = BodyKind::length;
  }
  if (facts.names_forbidden || facts.connection_names > kMaxConnectionNames) return HeadError::invalid_connection;

  head.is_keep_alive = head.minor_version == 0 ? facts.names_keep_alive && !facts.names_close : !facts.names_close;
  const bool asks_for_h2c = facts.upgrades == 1 && facts.upgrades_to_h2c;
  head.has_upgrade = facts.names_upgrade && facts.upgrades != 0 && !asks_for_h2c;
  head.is_websocket_upgrade = head.has_upgrade && facts.upgrades == 1 && facts.upgrades_to_websocket;
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `head` has offsets and sizes
  if (facts.names_others && !head.has_upgrade) remove_named_by_connection(bytes.data(), head);
  if (asks_for_h2c) remove_headers(head, HeaderId::http2_settings);

  const std::string_view method = bytes.substr(0, head.method_size);
  head.is_head_method = method == "HEAD";
  head.is_open_ended = head.has_upgrade || method == "CONNECT";
  if (head.is_open_ended) head.body = BodyKind::none;
  const Header* const expect = head.find(HeaderId::expect);
  head.expects_continue = expect != nullptr && equals_ignoring_case(value_of(bytes, *expect), "100-continue");
  return HeadError::none;
}

}  // namespace

ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  reset_head(head);
  const char* const base = bytes.data();
  const char* const end = base + std::min<std::size_t>(bytes.size(), limits.max_bytes);
  std::size_t line_size = 0;
  ParseResult result = parse_request_line(base, end, head, line_size);
  FieldFacts facts;
  if (result.status == ParseStatus::complete) {
    const std::uint32_t max_headers = std::min<std::uint32_t>(limits.max_headers, kMaxHeaders);
    result = parse_fields(base, line_size, end, max_headers, Direction::request, head, facts);
  }
  if (result.status == ParseStatus::incomplete) return out_of_bytes(bytes.size(), limits);
  if (result.status == ParseStatus::error) return result;
  const HeadError error = decide_request(bytes, facts, head);
  return error == HeadError::none ? kComplete : head_error(error);
}

std::size_t leading_blank_bytes(std::string_view bytes) {
  std::size_t size = 0;
  while (bytes.size() - size >= 2 && bytes[size] == '\r' && bytes[size + 1] == '\n') size += 2;
  return size;
}

}  // namespace proxy::http1
