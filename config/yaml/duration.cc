#include "config/yaml/duration.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace config::yaml {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Longer names first, so that "ms" is not read as "m".
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"\xc2\xb5s", 1'000},
                                         {"\xce\xbcs", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", 1'000'000'000},
                                         {"m", 60'000'000'000},
                                         {"h", 3'600'000'000'000}}};

// A century: beyond any timeout, and far from the end of 64 bits.
constexpr std::int64_t kLongest = 876'000LL * 3'600'000'000'000LL;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 60)) + "\""; }

}  // namespace

tl::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text) {
  const auto malformed = [&] {
    return tl::unexpected<std::string>(quoted(text) + " is not a duration; write for example 500ms, 2s or 1h30m");
  };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds{0};
  if (rest.empty()) return malformed();

  long double total = 0;
  while (!rest.empty()) {
    long double number = 0;
    bool has_digits = false;
    for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), has_digits = true) {
      number = number * 10 + (rest.front() - '0');
    }
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      for (long double place = 10; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), has_digits = true) {
        number += (rest.front() - '0') / place;
        place *= 10;
      }
    }
    if (!has_digits) return malformed();
    if (rest.empty()) {
      return tl::unexpected<std::string>(quoted(text) + " has no unit; write for example 500ms or 2s");
    }
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (rest.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr) {
      return tl::unexpected<std::string>(quoted(text) + " has a unit that is not known; units are h, m, s, ms, us, ns");
    }
    rest.remove_prefix(unit->name.size());
    total += number * static_cast<long double>(unit->nanoseconds);
    if (total > static_cast<long double>(kLongest)) {
      return tl::unexpected<std::string>(quoted(text) + " is longer than a century; leave the field out for no limit");
    }
  }
  // 0.0015 has no exact binary form; half a nanosecond is far below what anybody writes.
  const std::int64_t nanoseconds = std::llround(total);
  return std::chrono::nanoseconds{is_negative ? -nanoseconds : nanoseconds};
}

}  // namespace config::yaml
