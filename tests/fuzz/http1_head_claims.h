#pragma once

#include <algorithm>
#include <string_view>

#include "proxy/http1/head.h"
#include "tests/fuzz/require.h"

namespace fuzz {

inline bool is_token_char(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         kOthers.find(c) != std::string_view::npos;
}

inline bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

// What holds of every head that was accepted, in either direction.
inline void require_sound_head(std::string_view bytes, const proxy::http1::Head& head) {
  using proxy::http1::Header;
  using proxy::http1::HeaderId;
  require(head.size <= bytes.size() && bytes.substr(0, head.size).ends_with("\r\n\r\n"),
          "a head ends with an empty line");
  require(head.header_count <= proxy::http1::kMaxHeaders, "the number of headers is bounded");
  std::size_t previous_end = 0;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    const Header& header = head.headers[i];
    require(header.name_offset >= previous_end && header.value_offset > header.name_offset + header.name_size - 1U,
            "headers are in order");
    previous_end = header.value_offset + header.value_size;
    require(previous_end + 4 <= head.size, "a header lies inside the head");
    const std::string_view name = name_of(bytes, header);
    const std::string_view value = value_of(bytes, header);
    require(!name.empty() && std::all_of(name.begin(), name.end(), is_token_char), "a name is a token");
    require(std::all_of(value.begin(), value.end(), is_value_char), "a value has no control character");
    require(
        value.empty() || (value.front() != ' ' && value.front() != '\t' && value.back() != ' ' && value.back() != '\t'),
        "a value has no blanks around it");
    const std::uint8_t first = head.first_of[static_cast<std::size_t>(header.id)];
    require(header.id == HeaderId::other ? first == 0 : first >= 1 && first <= i + 1, "find() finds the first");
  }
}

// `parse` gives the same verdict however the bytes were cut: nothing until the last, and then the same for ever.
template <typename Parse>
void require_same_verdict_for_prefixes(std::string_view bytes, const Parse& parse) {
  using proxy::http1::ParseStatus;
  const proxy::http1::ParseResult whole = parse(bytes);
  const std::size_t step = bytes.size() / 300 + 1;  // every byte of a short input
  bool is_decided = false;
  for (std::size_t size = 0; size < bytes.size(); size += step) {
    const proxy::http1::ParseResult result = parse(bytes.substr(0, size));
    require(result.status == ParseStatus::incomplete ? !is_decided
                                                     : result.status == whole.status && result.error == whole.error,
            "the verdict does not depend on how the bytes were cut");
    is_decided |= result.status != ParseStatus::incomplete;
  }
}

}  // namespace fuzz
