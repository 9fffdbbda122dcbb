#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/http1/head.h"

namespace proxy::http1 {

// What a header's name says about it. Join keys as in Header, one for each direction.
struct NameFacts {
  HeaderId id = HeaderId::other;
  std::uint8_t join_key_in_requests = 0;
  std::uint8_t join_key_in_responses = 0;
};

// REQUIRES: `name` holds token characters only.
const NameFacts& facts_of_name(const char* name, std::size_t size);

}  // namespace proxy::http1
