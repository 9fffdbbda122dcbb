#include <algorithm>
#include <cstring>

#include "proxy/http1/fields.h"
#include "proxy/http1/head.h"
#include "proxy/http1/scan.h"

namespace proxy::http1 {
namespace {

constexpr ParseResult kBadLine{ParseStatus::error, HeadError::codec_error};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether [at, end) is `pattern`, in which d stands for a digit, or incomplete: the beginning of it.
ParseStatus match_pattern(const char* at, const char* end, std::string_view pattern) {
  const auto available = std::min(pattern.size(), static_cast<std::size_t>(end - at));
  for (std::size_t i = 0; i < available; ++i) {
    if (pattern[i] == 'd' ? !is_digit(at[i]) : at[i] != pattern[i]) return ParseStatus::error;
  }
  return available < pattern.size() ? ParseStatus::incomplete : ParseStatus::complete;
}

// "HTTP/d.d", blanks, "ddd" and a reason that nobody needs. Any version is read as Envoy reads it, but only 1.x may be
// kept.
ParseResult parse_status_line(const char* base, const char* end, ResponseHead& head, bool& is_http1,
                              std::size_t& size) {
  constexpr std::string_view kVersion = "HTTP/d.d", kCode = "ddd";
  if (const ParseStatus status = match_pattern(base, end, kVersion); status != ParseStatus::complete) {
    return status == ParseStatus::error ? kBadLine : kIncomplete;
  }
  is_http1 = base[5] == '1';
  head.minor_version = is_http1 && base[7] == '0' ? 0 : 1;
  const char* at = base + kVersion.size();
  if (at != end && !is_blank(*at)) return kBadLine;
  while (at != end && is_blank(*at)) ++at;
  if (const ParseStatus status = match_pattern(at, end, kCode); status != ParseStatus::complete) {
    return status == ParseStatus::error ? kBadLine : kIncomplete;
  }
  head.status = static_cast<std::uint16_t>((at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0'));
  if (head.status < 100) return kBadLine;

  at += kCode.size();
  if (at == end) return kIncomplete;
  if (is_blank(*at)) at = find_end_of_value(at, end);
  if (at == end) return kIncomplete;
  if (*at != '\r') return kBadLine;
  if (at + 1 == end) return kIncomplete;
  if (at[1] != '\n') return kBadLine;
  size = static_cast<std::size_t>(at + 2 - base);
  return kComplete;
}

HeadError decide_response(std::string_view bytes, const FieldFacts& facts, bool is_http1, bool is_head_request,
                          ResponseHead& head) {
  if (facts.transfer_encodings != 0) {
    if (facts.has_content_length) return HeadError::length_and_chunked;
    if (facts.transfer_encodings != 1 || !facts.is_chunked) return HeadError::invalid_transfer_encoding;
    if (head.minor_version == 0) return HeadError::codec_error;  // RFC 9112 6.1: framing is faulty
  }
  const bool is_bodiless_status = head.status < 200 || head.status == 204;
  if (is_bodiless_status && facts.transfer_encodings != 0) return HeadError::invalid_transfer_encoding;
  if (is_bodiless_status && facts.has_content_length && value_of(bytes, *head.find(HeaderId::content_length)) != "0") {
    return HeadError::invalid_content_length;
  }
  if (is_bodiless_status || head.status == 304 || is_head_request) {
    head.body = BodyKind::none;
  } else if (facts.transfer_encodings != 0) {
    head.body = BodyKind::chunked;
  } else {
    head.body = facts.has_content_length ? BodyKind::length : BodyKind::until_close;
  }
  head.is_keep_alive = is_http1 && !facts.names_close && (head.minor_version != 0 || facts.names_keep_alive) &&
                       head.body != BodyKind::until_close;
  head.has_upgrade = facts.names_upgrade && facts.upgrades != 0;
  return HeadError::none;
}

}  // namespace

ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool is_head_request,
                                ResponseHead& head) {
  reset_head(head);
  const char* const base = bytes.data();
  const char* const end = base + std::min<std::size_t>(bytes.size(), limits.max_bytes);
  bool is_http1 = true;
  std::size_t line_size = 0;
  ParseResult result = parse_status_line(base, end, head, is_http1, line_size);
  FieldFacts facts;
  if (result.status == ParseStatus::complete) {
    const std::uint32_t max_headers = std::min<std::uint32_t>(limits.max_headers, kMaxHeaders);
    result = parse_fields(base, line_size, end, max_headers, Direction::response, head, facts);
  }
  if (result.status == ParseStatus::incomplete) return out_of_bytes(bytes.size(), limits);
  if (result.status == ParseStatus::error) return result;
  const HeadError error = decide_response(bytes, facts, is_http1, is_head_request, head);
  return error == HeadError::none ? kComplete : head_error(error);
}

}  // namespace proxy::http1
