#include <set>

#include "config/analyze/analyze.h"
#include "config/analyze/outlier.h"

// FL0002: a share of the hosts that is less than one host, so that nobody is ever ejected.
namespace config {
namespace {

std::size_t count_endpoints(const Registry::Entry& entry, const Subset* subset) {
  std::size_t count = 0;
  for (const EndpointDeclaration& endpoint : entry.endpoints) {
    if (subset == nullptr || includes(endpoint.labels, subset->labels)) ++count;
  }
  return count;
}

void check(const DestinationRule& rule, const OutlierSettings& settings, const Registry::Entry& entry,
           const Subset* subset, std::vector<Finding>& findings) {
  const std::size_t hosts = count_endpoints(entry, subset);
  const std::uint32_t percent = settings.policy.max_ejection_percent;
  if (hosts == 0 || 100 <= percent * hosts) return;
  Origin origin = settings.origin;
  origin.path += ".maxEjectionPercent";
  const std::string of = entry.service.host + (subset == nullptr ? "" : " subset " + subset->name);
  findings.push_back(warning(kNeverEjects, {"DestinationRule", rule.metadata.name_space, rule.metadata.name}, origin,
                             "nobody will ever be ejected: " + std::to_string(percent) + " % of the " +
                                 std::to_string(hosts) + (hosts == 1 ? " host of " : " hosts of ") + of +
                                 " is less than one; write at least " + std::to_string((100 + hosts - 1) / hosts)));
}

}  // namespace

void find_impossible_ejections(const Documents& documents, const Registry& registry, std::vector<Finding>& findings) {
  if (documents.settings.semantics == Semantics::legacy) return;  // one host may always go
  for (const DestinationRule& rule : documents.destination_rules) {
    for (const Registry::Entry* entry : registry.covered_by(rule.host)) {
      if (!entry->is_in_use) continue;  // its endpoints are not known
      for_each_outlier(rule, [&](const OutlierSettings& settings, const Subset* subset, std::uint16_t) {
        check(rule, settings, *entry, subset, findings);
      });
    }
  }
}

}  // namespace config
