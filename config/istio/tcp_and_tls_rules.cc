#include "config/istio/tcp_and_tls_rules.h"

#include <algorithm>
#include <charconv>

#include "config/istio/destination.h"

namespace config::istio {
namespace {

// An address, or a range of them.
bool is_subnet(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = base::IpAddress::parse(text.substr(0, slash));
  if (!address || slash == text.npos) return address.has_value();
  const std::string_view bits = text.substr(slash + 1);
  unsigned size = 0;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), size);
  return error == std::errc{} && end == bits.data() + bits.size() && size <= (address->is_v4() ? 32U : 128U);
}

void check_selectors(const Node& match, Report& report) {
  for (const Node& subnet : match["destinationSubnets"].items()) {
    if (!is_subnet(subnet.text()))
      report.error(subnet, quoted(subnet.text()) + " is no address and no range such as 10.0.0.0/8");
  }
  check_labels(match["sourceLabels"], report);
  check_gateways(match["gateways"], report);
}

void check_route(const Node& rule, Report& report) {
  const Node route = rule["route"];
  if (route.items().empty()) report.error(rule, "has no route; add one");
  for (const Node& item : route.items()) check_destination(item["destination"], report);
  check_weights(route, report);
}

// Whether all that `name` stands for belongs to `host`.
bool is_within(std::string_view name, std::string_view host) {
  if (!is_wildcard(host)) return name == host;
  return (is_wildcard(name) ? name.substr(1) : name).ends_with(host.substr(1));
}

void check_server_name(const Node& node, const std::vector<std::string>& hosts, Report& report) {
  const std::string name = node.text();
  if (base::IpAddress::parse(name)) return;
  check_host(node, report);
  const bool is_ours =
      std::any_of(hosts.begin(), hosts.end(), [&](const std::string& host) { return is_within(name, host); });
  if (!is_ours) report.error(node, quoted(name) + " belongs to none of this document's hosts");
}

}  // namespace

void check_tls_rules(const Node& spec, Report& report) {
  const std::vector<std::string> hosts = spec["hosts"].texts();
  for (const Node& rule : spec["tls"].items()) {
    if (rule["match"].items().empty()) report.error(rule, "has no match; add one with sniHosts");
    for (const Node& match : rule["match"].items()) {
      if (match["sniHosts"].items().empty()) report.error(match, "has no sniHosts; name at least one");
      for (const Node& name : match["sniHosts"].items()) check_server_name(name, hosts, report);
      check_selectors(match, report);
    }
    check_route(rule, report);
  }
}

void check_tcp_rules(const Node& spec, Report& report) {
  for (const Node& rule : spec["tcp"].items()) {
    for (const Node& match : rule["match"].items()) check_selectors(match, report);
    check_route(rule, report);
  }
}

}  // namespace config::istio
