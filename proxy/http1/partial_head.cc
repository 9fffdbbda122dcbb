#include <algorithm>

#include "proxy/http1/head.h"

namespace proxy::http1 {
namespace {

// Up to here every byte is news: most of what is not HTTP shows it early.
constexpr std::size_t kAlwaysNews = 128;

// A byte that ends the first line, or that no HTTP has in it.
bool is_telling_in_first_line(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte >= 0x7f;
}

}  // namespace

bool PartialHead::has_news(std::string_view bytes, const HeadLimits& limits) {
  const std::size_t seen = std::min<std::size_t>(seen_, bytes.size());
  const std::string_view fresh = bytes.substr(seen);
  seen_ = static_cast<std::uint32_t>(bytes.size());
  const bool had_first_line = has_first_line_;
  has_first_line_ = had_first_line || fresh.find('\n') != std::string_view::npos;
  if (seen == 0 || bytes.size() > limits.max_bytes) return true;
  if (!had_first_line) {
    return bytes.size() <= kAlwaysNews || std::any_of(fresh.begin(), fresh.end(), is_telling_in_first_line);
  }
  // Only an empty line completes a head; a malformed line before it is told of then.
  const std::size_t before = std::min<std::size_t>(seen, 2);
  const std::string_view window = bytes.substr(seen - before);
  for (std::size_t at = window.find('\n'); at != std::string_view::npos; at = window.find('\n', at + 1)) {
    const bool ends_empty_line =
        (at >= 1 && window[at - 1] == '\n') || (at >= 2 && window[at - 1] == '\r' && window[at - 2] == '\n');
    if (ends_empty_line) return true;
  }
  return false;
}

}  // namespace proxy::http1
