#include "tests/support/http_text.h"

#include <algorithm>
#include <cctype>

namespace tests::support {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

std::optional<std::string> Head::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Head::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) values.push_back(value);
  }
  return values;
}

std::string Head::word(std::size_t n) const {
  std::string_view rest = start_line;
  for (; n > 0; --n) {
    const auto blank = rest.find(' ');
    if (blank == std::string_view::npos) return {};
    rest.remove_prefix(blank + 1);
  }
  return std::string(rest.substr(0, rest.find(' ')));
}

Head parse_head(std::string_view text) {
  Head head;
  bool is_first = true;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (line.empty()) break;
    if (std::exchange(is_first, false)) {
      head.start_line = line;
      continue;
    }
    const auto colon = line.find(':');
    const std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    head.headers.emplace_back(line.substr(0, colon), trim(value));
  }
  return head;
}

std::string format_headers(const Headers& headers) {
  std::string text;
  for (const auto& [key, value] : headers) text += key + ": " + value + "\r\n";
  return text;
}

}  // namespace tests::support
