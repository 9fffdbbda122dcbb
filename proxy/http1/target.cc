#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/http1/scan.h"
#include "proxy/http1/write.h"

namespace proxy::http1 {
namespace {

constexpr std::string_view kEncoded = "\"<>^`{|}";  // visible, but no part of a path: sent percent-encoded

constexpr std::array<bool, 256> make_needs_work() {
  std::array<bool, 256> needs{};
  for (const char c : kEncoded) needs[static_cast<std::uint8_t>(c)] = true;
  needs['%'] = true;
  needs['\\'] = true;
  return needs;
}
constexpr std::array<bool, 256> kNeedsWork = make_needs_work();

// Most paths are sent on as they are: no escape, no odd character, no segment that begins with a dot.
bool is_normal(std::string_view path) {
  if (is_common_text(path, '.')) return true;
  char previous = '\0';
  for (const char c : path) {
    if (kNeedsWork[static_cast<std::uint8_t>(c)] || (c == '.' && previous == '/')) return false;
    previous = c;
  }
  return true;
}

bool is_unreserved(char c) {
  const char lower = to_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto byte = static_cast<std::uint8_t>(c);
  out += '%';
  out += kHex[byte >> 4];
  out += kHex[byte & 0xf];
}

// Called at the end of a segment that began at `start`: removes "." and ".." with what they undo. Returns whether it
// was one of them.
bool resolve_dot_segment(std::string& out, std::size_t start) {
  const std::string_view segment = std::string_view(out).substr(start);
  if (segment != "." && segment != "..") return false;
  const bool goes_up = segment.size() == 2;
  out.resize(start);
  if (goes_up && start > 1) out.resize(out.rfind('/', start - 2) + 1);
  return true;
}

// ";parameters" after a dot segment hide it from some servers and not from others: they are dropped with it.
std::size_t dot_segment_with_parameters(std::string_view rest) {
  if (rest.starts_with(".;")) return 1;
  if (rest.starts_with("..;")) return 2;
  return 0;
}

TargetError append_normalized(std::string& out, std::string_view path) {
  std::size_t segment = out.size() + 1;  // where the current segment begins in `out`
  out += '/';
  for (std::size_t i = 1; i < path.size(); ++i) {
    char c = path[i];
    if (path[i - 1] == '/') {
      if (const std::size_t dots = dot_segment_with_parameters(path.substr(i)); dots != 0) {
        out.append(dots, '.');
        i = std::min(path.find('/', i), path.size());
        if (i == path.size()) break;
        c = '/';
      }
    }
    if (c == '/' || c == '\\') {
      if (!resolve_dot_segment(out, segment)) out += '/';
      segment = out.size();
    } else if (c == '%' && i + 2 < path.size() && hex_value(path[i + 1]) >= 0 && hex_value(path[i + 2]) >= 0) {
      const auto decoded = static_cast<char>(hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]));
      if (decoded == '\0') return TargetError::path_normalization_failed;
      if (is_unreserved(decoded)) {
        out += decoded;
      } else {
        out.append(path.substr(i, 3));
      }
      i += 2;
    } else if (kEncoded.find(c) != std::string_view::npos) {
      append_escape(out, c);
    } else {
      out += c;
    }
  }
  resolve_dot_segment(out, segment);
  return TargetError::none;
}

TargetError normalize_path(std::string_view raw, std::string& storage, Target& target) {
  const std::string_view without_fragment = raw.substr(0, raw.find('#'));
  const std::string_view path = without_fragment.substr(0, without_fragment.find('?'));
  if (is_normal(path)) {
    target.path = without_fragment;
    return TargetError::none;
  }
  storage.clear();
  if (const TargetError error = append_normalized(storage, path); error != TargetError::none) return error;
  storage.append(without_fragment.substr(path.size()));
  target.path = storage;
  return TargetError::none;
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

// "host", "host:port", "[v6]", "[v6]:port".
bool is_host_and_port(std::string_view authority, bool needs_port) {
  std::size_t host_size = authority.find(':');
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return false;
    host_size = bracket + 1;
  }
  const std::string_view host = authority.substr(0, host_size);
  if (host.empty()) return false;
  const std::string_view rest = authority.substr(host.size());
  if (rest.empty()) return !needs_port;
  return rest.front() == ':' && is_port(rest.substr(1));
}

TargetError normalize_absolute(std::string_view raw, std::string& storage, Target& target) {
  const std::size_t scheme_size = raw.find("://");
  if (scheme_size == std::string_view::npos) return TargetError::invalid_url;
  const std::string_view scheme = raw.substr(0, scheme_size);
  const std::string_view rest = raw.substr(scheme_size + 3);
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::string_view path = rest.substr(authority.size());
  authority.remove_prefix(authority.rfind('@') + 1);  // credentials name nobody to route to
  if (!is_host_and_port(authority, false)) return TargetError::invalid_url;
  const bool is_https = equals_ignoring_case(scheme, "https");
  if (!is_https && !equals_ignoring_case(scheme, "http")) return TargetError::invalid_scheme;
  target.scheme = is_https ? "https" : "http";
  target.authority = authority;
  if (path.empty()) {
    target.path = "/";
    return TargetError::none;
  }
  return path.front() == '/' ? normalize_path(path, storage, target) : TargetError::absolute_path_rejected;
}

}  // namespace

TargetError normalize_target(std::string_view method, std::string_view raw, std::string& storage, Target& target) {
  target = {};
  if (method == "CONNECT") {
    if (!is_host_and_port(raw, true)) return TargetError::invalid_url;
    target.authority = raw;
    return TargetError::none;
  }
  if (raw.starts_with('/')) return normalize_path(raw, storage, target);
  if (raw.starts_with('*')) {
    return method == "OPTIONS" ? TargetError::absolute_path_rejected : TargetError::invalid_url;
  }
  return normalize_absolute(raw, storage, target);
}

}  // namespace proxy::http1
