#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP/1 as text, for tests: no limits, no opinions, and nothing shared with the parser under test.
namespace tests::support {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Head {
  std::string start_line;
  Headers headers;  // in order, with the spelling they came with

  // The value of the first header with this name in any case.
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return header(name).has_value(); }
  // All values of the headers with this name.
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  // The n-th word of the start line, empty if there are fewer.
  [[nodiscard]] std::string word(std::size_t n) const;
};

// `text` ends with the empty line.
Head parse_head(std::string_view text);
std::string format_headers(const Headers& headers);
bool equals_ignoring_case(std::string_view left, std::string_view right);

}  // namespace tests::support
