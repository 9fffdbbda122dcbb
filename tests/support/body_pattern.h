#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// A body of any size that both ends can make and check without storing it: the byte at offset i is i % 251 (a prime, so
// that no buffer size hides a shift).
namespace tests::support {

inline constexpr std::size_t kPatternStep = std::size_t{256} * 1024;

// The bytes from `offset` on, at most kPatternStep of them.
std::string_view pattern_at(std::uint64_t offset, std::uint64_t size);
[[nodiscard]] bool is_pattern(std::uint64_t offset, std::string_view bytes);

}  // namespace tests::support
