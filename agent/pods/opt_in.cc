#include "agent/pods/opt_in.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace agent {
namespace {

std::string_view value_of(const config::Labels& labels, std::string_view name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

// Whether somebody opted in.
OptIn mode_decision(const PodFacts& pod) {
  const std::string name(kModeLabel);
  for (const auto& [labels, owner] :
       {std::pair{&pod.labels, "the pod's"}, std::pair{&pod.namespace_labels, "its namespace's"}}) {
    const std::string_view mode = value_of(*labels, kModeLabel);
    if (mode == "enabled") return {};
    const std::string label = std::string(owner) + " label " + name;
    if (mode == "disabled") return {.reason = label + " is disabled"};
    if (!mode.empty()) {
      return {.reason = label + " is \"" + std::string(mode) + "\"; write enabled or disabled", .is_mistake = true};
    }
  }
  return {.reason = "its namespace has no label " + name + ": enabled"};
}

std::string other_mesh_reason(const PodFacts& pod) {
  for (const auto* labels : {&pod.labels, &pod.namespace_labels}) {
    const std::string_view mode = value_of(*labels, "istio.io/dataplane-mode");
    if (mode == "none") return "the label istio.io/dataplane-mode is none";
    if (!mode.empty()) break;  // the pod's own decides
  }
  static constexpr std::array<std::string_view, 2> kProxies = {"istio-proxy", "linkerd-proxy"};
  for (const std::string& container : pod.containers) {
    if (std::find(kProxies.begin(), kProxies.end(), container) != kProxies.end()) {
      return "it has a sidecar, " + container;
    }
  }
  if (!value_of(pod.annotations, "sidecar.istio.io/status").empty()) return "it has a sidecar of Istio";
  if (value_of(pod.annotations, "ambient.istio.io/redirection") == "enabled")
    return "Istio's ambient mode redirects it";
  return {};
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> items;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.push_back(item);
  }
  return items;
}

template <typename Number>
std::optional<Number> number(std::string_view text, Number least, Number most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return static_cast<Number>(value);
}

std::optional<PortRange> port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = number<std::uint16_t>(text.substr(0, dash), 1, 65535);
  const auto last = dash == text.npos ? first : number<std::uint16_t>(text.substr(dash + 1), 1, 65535);
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{*first, *last};
}

std::optional<Cidr> cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = base::IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::uint8_t offset = address->is_v4() ? 96 : 0;
  const auto most = static_cast<std::uint8_t>(128 - offset);
  const auto bits = slash == text.npos ? std::optional(most) : number<std::uint8_t>(text.substr(slash + 1), 0, most);
  if (!bits) return std::nullopt;
  Cidr result{*address, static_cast<std::uint8_t>(offset + *bits)};
  for (std::size_t bit = result.prefix; bit < 128; ++bit) {
    result.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  }
  return result;
}

template <typename T>
std::string read_list(const PodFacts& pod, std::string_view annotation, std::optional<T> (*read)(std::string_view),
                      std::string_view form, std::vector<T>& into) {
  for (const std::string_view item : split(value_of(pod.annotations, annotation))) {
    const auto value = read(item);
    if (!value) {
      return "its annotation " + std::string(annotation) + " has \"" + std::string(item) + "\"; write " +
             std::string(form);
    }
    into.push_back(*value);
  }
  if (into.size() > Exclusions::kMost) {
    return "its annotation " + std::string(annotation) + " has more than " + std::to_string(Exclusions::kMost) +
           " entries";
  }
  return {};
}

}  // namespace

OptIn decide_opt_in(const PodFacts& pod) {
  OptIn decision = mode_decision(pod);
  if (decision.is_captured() && pod.has_host_network) decision.reason = "it uses the node's network (hostNetwork)";
  if (decision.is_captured()) decision.reason = other_mesh_reason(pod);
  if (!decision.is_captured()) return decision;
  decision.reason = read_list(pod, kExcludePorts, port_range, "ports (1 to 65535) or ranges such as 9000-9100",
                              decision.excluded.ports);
  if (decision.is_captured()) {
    decision.reason = read_list(pod, kExcludeCidrs, cidr, "networks such as 10.0.0.0/8", decision.excluded.cidrs);
  }
  decision.is_mistake = !decision.is_captured();
  return decision;
}

}  // namespace agent
