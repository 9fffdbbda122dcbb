#include "config/istio/locality_settings.h"

#include <algorithm>
#include <array>

namespace config::istio {
namespace {

constexpr std::array<std::string_view, 3> kTopologyLabels = {
    "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"};

// "region/zone/subzone", cut short where the rest does not matter; a last "*" says the same.
using Locality = std::vector<std::string>;

Locality split(std::string_view text) {
  Locality parts;
  while (true) {
    const auto slash = parts.size() == 2 ? text.npos : text.find('/');
    parts.emplace_back(text.substr(0, slash));
    if (slash == text.npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

bool overlap(const Locality& a, const Locality& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] == "*" || b[i] == "*") return true;
    if (a[i] != b[i]) return false;
  }
  return true;
}

struct Named {
  Node at;
  std::string text;
};

void check_localities(const std::vector<Named>& names, Report& report) {
  std::vector<Locality> known;
  for (const auto& [at, text] : names) {
    const auto star = text.find('*');
    if (star != text.npos && star + 1 != text.size()) {
      report.error(at, quoted(text) + " is not a locality: * may only stand at the end");
      continue;
    }
    Locality locality = split(text);
    if (std::find(locality.begin(), locality.end(), "") != locality.end()) {
      report.error(at, quoted(text) + " is not a locality; write region, region/zone or region/zone/subzone");
      continue;
    }
    const auto overlaps = [&](const Locality& other) { return overlap(locality, other); };
    if (std::any_of(known.begin(), known.end(), overlaps)) {
      report.error(at, quoted(text) + " overlaps with another locality of the list; remove one");
    }
    known.push_back(std::move(locality));
  }
}

void check_distribute(const Node& list, Report& report) {
  std::vector<Named> sources;
  for (const Node& item : list.items()) {
    sources.push_back({item["from"] ? item["from"] : item, item["from"].text()});
    std::vector<Named> targets;
    std::int64_t total = 0;
    for (const auto& [name, weight] : item["to"].members()) {
      targets.push_back({weight, name});
      total += weight.integer();
      if (weight.integer() < 1) report.error(weight, "is 0; allowed is 1 to 100");
    }
    if (total != 100) report.error(item, "the weights add up to " + std::to_string(total) + "; they must make 100");
    check_localities(targets, report);
  }
  check_localities(sources, report);
}

void check_failover(const Node& list, Report& report) {
  for (const Node& item : list.items()) {
    const std::string from = item["from"].text(), to = item["to"].text();
    if (from == to) report.error(item, "from and to are the same region; failover goes to another one");
    if ((from + to).find_first_of("/*") != std::string::npos) {
      report.error(item, "from and to are regions: no zone and no *");
    }
  }
}

bool is_topology_label(const Node& label) {
  return std::find(kTopologyLabels.begin(), kTopologyLabels.end(), label.text()) != kTopologyLabels.end();
}

}  // namespace

void check_locality_setting(const Node& setting, Report& report) {
  const Node distribute = setting["distribute"], failover = setting["failover"];
  if (!distribute.items().empty() && !failover.items().empty()) {
    report.error(setting, "has both distribute and failover; keep one");
  }
  if (!failover.items().empty()) {
    for (const Node& label : setting["failoverPriority"].items()) {
      if (is_topology_label(label))
        report.error(label, quoted(label.text()) + " cannot stand together with failover; remove one of them");
    }
  }
  check_distribute(distribute, report);
  check_failover(failover, report);
}

void check_zone_aware_setting(const Node& setting, Report& report) {
  for (const Node& label : setting["failoverPriority"].items()) {
    if (is_topology_label(label))
      report.error(label, quoted(label.text()) + " is taken care of by zone awareness itself; remove it");
  }
  check_failover(setting["failover"], report);
}

}  // namespace config::istio
