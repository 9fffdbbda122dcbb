#include "tests/support/body_pattern.h"

#include <algorithm>
#include <string>

namespace tests::support {
namespace {

constexpr std::size_t kPeriod = 251;

const std::string& table() {
  static const std::string bytes = [] {
    std::string made(kPatternStep + kPeriod, '\0');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>(i % kPeriod);
    return made;
  }();
  return bytes;
}

}  // namespace

std::string_view pattern_at(std::uint64_t offset, std::uint64_t size) {
  return std::string_view(table()).substr(offset % kPeriod, std::min<std::uint64_t>(size, kPatternStep));
}

bool is_pattern(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view expected = pattern_at(offset, bytes.size());
    if (bytes.substr(0, expected.size()) != expected) return false;
    bytes.remove_prefix(expected.size());
    offset += expected.size();
  }
  return true;
}

}  // namespace tests::support
