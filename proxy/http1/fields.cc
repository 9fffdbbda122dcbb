#include "proxy/http1/fields.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "proxy/http1/header_names.h"
#include "proxy/http1/scan.h"

namespace proxy::http1 {
namespace {

// Most write these words in lower case, and that is seen many bytes at a time.
bool is_word(std::string_view text, std::string_view lower) {
  return text == lower || equals_ignoring_case(text, lower);
}

void note_connection(std::string_view value, FieldFacts& facts) {
  for_each_element(value, [&facts](std::string_view name) {
    ++facts.connection_names;
    if (is_word(name, "close")) {
      facts.names_close = true;
    } else if (is_word(name, "keep-alive")) {
      facts.names_keep_alive = true;
    } else if (is_word(name, "upgrade")) {
      facts.names_upgrade = true;
    } else if (!name.empty() && !is_word(name, "te")) {  // TE has its own rule
      facts.names_others = true;
      facts.names_forbidden |= name.front() == ':' || is_word(name, "x-forwarded-for") ||
                               is_word(name, "x-forwarded-host") || is_word(name, "x-forwarded-proto");
    }
  });
}

void note_proxy_connection(std::string_view value, FieldFacts& facts) {
  for_each_element(value, [&facts](std::string_view name) {
    facts.names_close |= is_word(name, "close");
    facts.names_keep_alive |= is_word(name, "keep-alive");
  });
}

// 1*DIGIT that fits; nothing else, no list, no sign. Who counts in signed numbers reads more than 2^63-1 as another
// length, or as none.
bool parse_content_length(std::string_view text, std::uint64_t& length) {
  if (text.empty()) return false;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  length = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (length > (kMax - digit) / 10) return false;
    length = length * 10 + digit;
  }
  return true;
}

// The headers that decide about framing, authority and connection. Everything else only has an id.
HeadError note_field(HeaderId id, std::string_view value, Direction direction, Head& head, FieldFacts& facts) {
  switch (id) {
    case HeaderId::content_length:
      if (facts.has_content_length || !parse_content_length(value, head.content_length)) {
        return HeadError::invalid_content_length;
      }
      facts.has_content_length = true;
      return HeadError::none;
    case HeaderId::transfer_encoding:
      facts.is_chunked = is_word(value, "chunked");
      if (facts.transfer_encodings < 2) ++facts.transfer_encodings;
      return HeadError::none;
    case HeaderId::authority_host:
      if (direction == Direction::response) return HeadError::none;
      if (head.find(HeaderId::authority_host) != nullptr) return HeadError::codec_error;
      return is_host_text(value) ? HeadError::none : HeadError::invalid_authority;
    case HeaderId::connection:
      note_connection(value, facts);
      return HeadError::none;
    case HeaderId::proxy_connection:
      note_proxy_connection(value, facts);
      return HeadError::none;
    case HeaderId::upgrade:
      if (facts.upgrades < 2) ++facts.upgrades;
      facts.upgrades_to_websocket = is_word(value, "websocket");
      facts.upgrades_to_h2c = is_word(value, "h2c");
      return HeadError::none;
    default:
      return HeadError::none;
  }
}

void index_headers(Head& head) {
  head.first_of.fill(0);
  head.has_duplicates = false;
  for (std::uint32_t i = head.header_count; i-- > 0;) {
    const Header& header = head.headers[i];
    if (header.id != HeaderId::other) {
      head.first_of[static_cast<std::size_t>(header.id)] = static_cast<std::uint8_t>(i + 1);
    }
    for (std::uint32_t j = 0; j < i && header.join_key != 0; ++j) {
      head.has_duplicates |= head.headers[j].join_key == header.join_key;
    }
  }
}

// `unwanted` is worked out before anything moves: a decision may look at every header.
void remove_marked(Head& head, const std::array<bool, kMaxHeaders>& unwanted) {
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (!unwanted[i]) head.headers[kept++] = head.headers[i];
  }
  if (kept == head.header_count) return;
  head.header_count = kept;
  index_headers(head);
}

bool is_named_by_connection(std::string_view bytes, const Head& head, std::string_view name) {
  bool is_named = false;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    if (head.headers[i].id != HeaderId::connection) continue;
    for_each_element(value_of(bytes, head.headers[i]),
                     [&](std::string_view element) { is_named |= equals_ignoring_case(element, name); });
  }
  return is_named;
}

// What frames the message must reach the next hop; TE and Connection have rules of their own.
bool is_exempt_from_connection(HeaderId id) {
  return id == HeaderId::content_length || id == HeaderId::transfer_encoding || id == HeaderId::te ||
         id == HeaderId::connection;
}

}  // namespace

ParseResult parse_fields(const char* base, std::size_t at_offset, const char* end, std::uint32_t max_headers,
                         Direction direction, Head& head, FieldFacts& facts) {
  std::uint64_t seen_keys[4] = {};
  const char* at = base + at_offset;
  for (;;) {
    if (at == end) return kIncomplete;
    if (*at == '\r') {
      if (at + 1 == end) return kIncomplete;
      if (at[1] != '\n') return head_error(HeadError::codec_error);
      head.size = static_cast<std::uint32_t>(at + 2 - base);
      return kComplete;
    }

    const char* const name_end = find_end_of_token(at, end);
    if (name_end == end) return kIncomplete;
    const auto name_size = static_cast<std::size_t>(name_end - at);
    if (*name_end != ':' || name_size == 0 || name_size > std::numeric_limits<std::uint16_t>::max()) {
      return head_error(*name_end == '\0' ? HeadError::invalid_characters : HeadError::codec_error);
    }

    const char* value = name_end + 1;
    while (value != end && is_blank(*value)) ++value;
    const char* const line_end = find_end_of_value(value, end);
    if (line_end == end) return kIncomplete;
    if (*line_end != '\r') {
      return head_error(*line_end == '\n' ? HeadError::codec_error : HeadError::invalid_characters);
    }
    if (line_end + 1 == end) return kIncomplete;
    if (line_end[1] != '\n') return head_error(HeadError::codec_error);
    const char* value_end = line_end;
    while (value_end != value && is_blank(value_end[-1])) --value_end;

    if (head.header_count == max_headers) return head_error(HeadError::too_many);
    const NameFacts& name = facts_of_name(at, name_size);
    Header& header = head.headers[head.header_count];
    header.name_offset = static_cast<std::uint32_t>(at - base);
    header.value_offset = static_cast<std::uint32_t>(value - base);
    header.value_size = static_cast<std::uint32_t>(value_end - value);
    header.name_size = static_cast<std::uint16_t>(name_size);
    header.id = name.id;
    header.join_key = direction == Direction::request ? name.join_key_in_requests : name.join_key_in_responses;
    if (header.join_key != 0) {
      std::uint64_t& seen = seen_keys[header.join_key / 64];
      const std::uint64_t bit = std::uint64_t{1} << (header.join_key % 64);
      head.has_duplicates |= (seen & bit) != 0;
      seen |= bit;
    }
    if (name.id != HeaderId::other) {
      const std::string_view text(value, static_cast<std::size_t>(value_end - value));
      if (const HeadError error = note_field(name.id, text, direction, head, facts); error != HeadError::none) {
        return head_error(error);
      }
      std::uint8_t& first = head.first_of[static_cast<std::size_t>(name.id)];
      if (first == 0) first = static_cast<std::uint8_t>(head.header_count + 1);
    }
    ++head.header_count;
    at = line_end + 2;
  }
}

void remove_named_by_connection(const char* base, Head& head) {
  const std::string_view bytes(base, head.size);
  std::array<bool, kMaxHeaders> unwanted{};
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    const Header& header = head.headers[i];
    unwanted[i] = !is_exempt_from_connection(header.id) && is_named_by_connection(bytes, head, name_of(bytes, header));
  }
  remove_marked(head, unwanted);
}

void remove_headers(Head& head, HeaderId id) {
  std::array<bool, kMaxHeaders> unwanted{};
  for (std::uint32_t i = 0; i < head.header_count; ++i) unwanted[i] = head.headers[i].id == id;
  remove_marked(head, unwanted);
}

void reset_head(Head& head) {
  head.header_count = 0;
  head.size = 0;
  head.body = BodyKind::none;
  head.content_length = 0;
  head.minor_version = 1;
  head.is_keep_alive = true;
  head.has_upgrade = false;
  head.has_duplicates = false;
  head.first_of.fill(0);
}

}  // namespace proxy::http1
