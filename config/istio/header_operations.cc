#include "config/istio/header_operations.h"

#include <algorithm>

namespace config::istio {
namespace {

// What follows a command's opening parenthesis: %COMMAND(arguments)%.
bool are_arguments(std::string_view arguments) {
  while (arguments.starts_with(' ')) arguments.remove_prefix(1);
  if (arguments.starts_with('[')) return arguments.ends_with(']');
  return !arguments.empty() && arguments.find('"') == arguments.npos;
}

// %% or %COMMAND% or %COMMAND(arguments)%; Istio or Envoy refuses anything else with a %.
bool has_stray_percent(std::string_view value) {
  while (true) {
    const auto open = value.find('%');
    if (open == value.npos) return false;
    value.remove_prefix(open + 1);
    if (value.starts_with('%')) {
      value.remove_prefix(1);
      continue;
    }
    std::size_t i = 0;
    while (i < value.size() &&
           ((value[i] >= 'A' && value[i] <= 'Z') || value[i] == '_' || (i > 0 && value[i] >= '0' && value[i] <= '9')))
      ++i;
    if (i == 0) return true;
    if (i < value.size() && value[i] == '(') {
      const auto close = value.find(')', i);
      if (close == value.npos || !are_arguments(value.substr(i + 1, close - i - 1))) return true;
      i = close + 1;
    }
    if (i >= value.size() || value[i] != '%') return true;
    value.remove_prefix(i + 1);
  }
}

void check_name(const Node& at, const std::string& name, bool allows_authority, Report& report) {
  if (name.empty()) {
    report.error(at, "a header's name is empty");
  } else if ((name.starts_with(':') || is_authority(name)) && !(allows_authority && is_authority(name))) {
    report.error(at, quoted(name) + " cannot be changed here; only request set and add may change Host");
  }
}

void check_direction(const Node& node, bool is_request, Report& report) {
  for (const std::string_view operation : {"set", "add"}) {
    for (const auto& [name, value] : node[operation].members()) {
      check_name(value, name, is_request, report);
      const std::string text = value.text();
      const bool has_control = std::any_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
      });
      if (has_control) report.error(value, "has a control character, which a header cannot carry");
      if (has_stray_percent(text))
        report.error(value, "has a % that begins no format such as %START_TIME%; write %% for one");
    }
  }
  for (const Node& item : node["remove"].items()) check_name(item, item.text(), false, report);
}

}  // namespace

bool is_header_name(std::string_view name) {
  constexpr std::string_view kPseudo[] = {":method", ":authority", ":path", ":scheme"};
  if (std::find(std::begin(kPseudo), std::end(kPseudo), name) != std::end(kPseudo)) return true;
  constexpr std::string_view kOthers = "-_!#$%&'*+.^`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != kOthers.npos;
  });
}

bool is_authority(std::string_view name) {
  const std::string lowered = lower(name);
  return lowered == "host" || lowered == ":authority";
}

void check_header_operations(const Node& node, Report& report) {
  check_direction(node["request"], true, report);
  check_direction(node["response"], false, report);
}

}  // namespace config::istio
