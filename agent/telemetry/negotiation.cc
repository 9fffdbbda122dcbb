#include "agent/telemetry/negotiation.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace agent::telemetry {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

// Takes the part before the next separator off `rest`; separators in quotes do not count.
std::string_view next_part(std::string_view& rest, char separator) {
  bool is_quoted = false;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    if (rest[i] == '"') is_quoted = !is_quoted;
    if (rest[i] == separator && !is_quoted) break;
  }
  const std::string_view part = rest.substr(0, i);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return trim(part);
}

struct Range {
  std::string_view name;
  std::string_view version;
  double quality = 1;
};

Range parse_range(std::string_view text) {
  Range range;
  range.name = next_part(text, ';');
  while (!text.empty()) {
    std::string_view value = next_part(text, ';');
    const std::string_view name = next_part(value, '=');
    value = trim(value);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (equals_ignoring_case(name, "version")) range.version = value;
    if (equals_ignoring_case(name, "q")) {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), range.quality);
      if (error != std::errc() || range.quality < 0 || range.quality > 1) range.quality = 0;
    }
  }
  return range;
}

std::optional<PageFormat> format_of(const Range& range) {
  if (equals_ignoring_case(range.name, "application/openmetrics-text")) {
    if (range.version.empty() || range.version == "1.0.0") return PageFormat::openmetrics;
    return std::nullopt;
  }
  if (equals_ignoring_case(range.name, "text/plain")) {
    if (range.version.empty() || range.version == "0.0.4") return PageFormat::text;
    return std::nullopt;
  }
  if (range.name == "*/*" || equals_ignoring_case(range.name, "text/*")) return PageFormat::text;
  return std::nullopt;
}

}  // namespace

PageFormat negotiate_format(std::string_view accept) {
  PageFormat best = PageFormat::text;
  double best_quality = 0;
  while (!accept.empty()) {
    const Range range = parse_range(next_part(accept, ','));
    const auto format = format_of(range);
    if (!format || range.quality <= 0) continue;
    if (range.quality > best_quality || (range.quality == best_quality && *format == PageFormat::openmetrics)) {
      best = *format;
      best_quality = range.quality;
    }
  }
  return best;
}

std::string_view content_type(PageFormat format) {
  return format == PageFormat::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8";
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> gzip;
  std::optional<double> any;
  while (!accept_encoding.empty()) {
    const Range range = parse_range(next_part(accept_encoding, ','));
    if (equals_ignoring_case(range.name, "gzip") || equals_ignoring_case(range.name, "x-gzip")) gzip = range.quality;
    if (range.name == "*") any = range.quality;
  }
  return gzip.value_or(any.value_or(0)) > 0;
}

}  // namespace agent::telemetry
