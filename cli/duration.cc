#include "cli/duration.h"

#include <array>
#include <charconv>
#include <string>

namespace cli {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first: "ms" begins with the name of another unit.
constexpr std::array<Unit, 6> kUnits{{{"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"h", 3.6e12}, {"m", 6e10}, {"s", 1e9}}};

}  // namespace

base::Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return base::fail(base::Errc::invalid, "'" + std::string(text) + "' is no duration; write 500ms, 10s or 1m30s");
  };
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
    if (error != std::errc() || value < 0) return bad();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto* unit = kUnits.begin();
    while (unit != kUnits.end() && !rest.starts_with(unit->name)) ++unit;
    if (unit == kUnits.end()) return bad();
    total += value * unit->nanoseconds;
    rest.remove_prefix(unit->name.size());
  }
  if (!(total < 9e18)) return bad();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

}  // namespace cli
