#pragma once

#include <cstddef>
#include <string_view>

namespace base {

// How many bytes at the beginning of `text` are whole characters in UTF-8 (RFC 3629: shortest form, no surrogates);
// all of them when it is UTF-8 throughout.
std::size_t utf8_prefix(std::string_view text);

}  // namespace base
