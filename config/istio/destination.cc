#include "config/istio/destination.h"

namespace config::istio {

void check_destination(const Node& node, Report& report) {
  const Node host = node["host"];
  if (host.text() == "*") {
    report.error(host, "\"*\" is not a destination; name one host");
  } else if (host) {
    check_host(host, report);
  }
  if (const std::string subset = node["subset"].text(); !subset.empty() && !is_dns_label(subset)) {
    report.error(node["subset"],
                 quoted(subset) + " is not a subset name: letters, digits and inner hyphens, at most 63");
  }
  if (const Node port = node["port"]; port && !port["number"]) report.error(port, "number is missing and required");
}

void check_weights(const Node& route, Report& report) {
  const auto items = route.items();
  std::uint64_t total = 0;
  for (const Node& item : items) total += static_cast<std::uint64_t>(item["weight"].integer());
  if (items.size() > 1 && total == 0) {
    report.error(route, "all weights are 0 or missing; give the destinations weights, for example 90 and 10");
  }
  if (total > static_cast<std::uint64_t>(kMaxUint32)) {
    report.error(route, "the weights add up to " + std::to_string(total) + "; allowed is at most 4294967295");
  }
}

}  // namespace config::istio
