#pragma once

#include <cstdint>

#include "proxy/http1/head.h"

namespace proxy::http1 {

enum class Direction : std::uint8_t { request, response };

// What the header lines say about framing and connection; who may say what is decided by the direction's parser.
struct FieldFacts {
  bool has_content_length = false;
  bool is_chunked = false;  // the last Transfer-Encoding was exactly `chunked`
  std::uint8_t transfer_encodings = 0;
  std::uint8_t upgrades = 0;
  bool upgrades_to_websocket = false;  // the last Upgrade
  bool upgrades_to_h2c = false;        // the last Upgrade
  bool names_close = false;            // Connection or Proxy-Connection
  bool names_keep_alive = false;       // Connection or Proxy-Connection
  bool names_upgrade = false;
  bool names_others = false;           // Connection names headers that must go
  bool names_forbidden = false;        // Connection names what it must not
  std::uint16_t connection_names = 0;  // elements of Connection
};

// Parses header lines from `base + at` up to and including the empty line. On `complete`, head.size is set.
// Each verdict is given at the first byte that justifies it, so it does not depend on how the bytes were cut.
ParseResult parse_fields(const char* base, std::size_t at, const char* end, std::uint32_t max_headers,
                         Direction direction, Head& head, FieldFacts& facts);

// Takes the headers that Connection names out of head.headers (RFC 9110 7.6.1). What frames the message stays.
void remove_named_by_connection(const char* base, Head& head);
void remove_headers(Head& head, HeaderId id);

inline ParseResult head_error(HeadError error) { return {ParseStatus::error, error}; }
inline constexpr ParseResult kIncomplete{ParseStatus::incomplete, HeadError::none};
inline constexpr ParseResult kComplete{ParseStatus::complete, HeadError::none};

// What a parser says when the bytes end inside a head: a head that cannot fit any more is too large.
inline ParseResult out_of_bytes(std::size_t received, const HeadLimits& limits) {
  return received > limits.max_bytes ? head_error(HeadError::too_large) : kIncomplete;
}

void reset_head(Head& head);

}  // namespace proxy::http1
