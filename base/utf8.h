#pragma once

#include <cstddef>
#include <string_view>

namespace base {

// The bytes of the character that `text` begins with in UTF-8 (RFC 3629, section 4: shortest form, no surrogates); 0
// when that is not one.
std::size_t utf8_character(std::string_view text);

// How many bytes at the beginning of `text` are whole characters; all of them when it is UTF-8 throughout.
std::size_t utf8_prefix(std::string_view text);

}  // namespace base
