#include "config/yaml/value.h"

#include <algorithm>
#include <array>

namespace config::yaml {
namespace {

constexpr std::array<std::string_view, 22> kBooleans = {"true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes",
                                                        "YES",  "no",   "No",   "NO",    "on",    "On",    "ON",  "off",
                                                        "Off",  "OFF",  "y",    "Y",     "n",     "N"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether `text` is a number, and if so whether it is a whole one: [-+]?[0-9]+ or with a fraction or an exponent;
// 0x1f and 0o17 are whole numbers too.
ScalarType number_type(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN") {
    return ScalarType::number;
  }
  if (text.starts_with("0x") || text.starts_with("0o")) {
    const bool is_hex = text[1] == 'x';
    text.remove_prefix(2);
    const bool is_number = !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
      return is_hex ? is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') : c >= '0' && c <= '7';
    });
    return is_number ? ScalarType::integer : ScalarType::text;
  }
  std::size_t digits = 0;
  bool is_whole = true;
  while (!text.empty() && is_digit(text.front())) text.remove_prefix(1), ++digits;
  if (!text.empty() && text.front() == '.') {
    is_whole = false;
    text.remove_prefix(1);
    while (!text.empty() && is_digit(text.front())) text.remove_prefix(1), ++digits;
  }
  if (digits == 0) return ScalarType::text;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return ScalarType::text;
    return ScalarType::number;
  }
  if (!text.empty()) return ScalarType::text;
  return is_whole ? ScalarType::integer : ScalarType::number;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

ScalarType Value::scalar_type() const {
  if (is_quoted) return ScalarType::text;
  if (std::find(kBooleans.begin(), kBooleans.end(), text) != kBooleans.end()) return ScalarType::boolean;
  return number_type(text);
}

}  // namespace config::yaml
