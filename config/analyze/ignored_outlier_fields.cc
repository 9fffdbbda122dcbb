#include "config/analyze/analyze.h"
#include "config/analyze/outlier.h"

// IST0133: fields that the schema still has and that do nothing.
namespace config {

void for_each_outlier(const DestinationRule& rule,
                      const std::function<void(const OutlierSettings&, const Subset*, std::uint16_t)>& visit) {
  const auto visit_policy = [&](const TrafficPolicy& policy, const Subset* subset) {
    if (policy.outlier) visit(*policy.outlier, subset, 0);
    for (const auto& [port, blocks] : policy.ports) {
      if (blocks.outlier) visit(*blocks.outlier, subset, port);
    }
  };
  if (rule.policy) visit_policy(*rule.policy, nullptr);
  for (const Subset& subset : rule.subsets) {
    if (subset.policy) visit_policy(*subset.policy, &subset);
  }
}

void find_ignored_outlier_fields(const Documents& documents, std::vector<Finding>& findings) {
  for (const DestinationRule& rule : documents.destination_rules) {
    const DocumentId id{"DestinationRule", rule.metadata.name_space, rule.metadata.name};
    for_each_outlier(rule, [&](const OutlierSettings& settings, const Subset*, std::uint16_t) {
      Origin origin = settings.origin;
      origin.path += ".consecutiveErrors";
      const std::string count = std::to_string(settings.consecutive_errors);
      if (settings.consecutive_errors == 0) return;
      if (documents.settings.semantics == Semantics::istio) {
        findings.push_back(warning("IST0133", id, origin,
                                   "is ignored, by Istio since 1.7: errors are counted up to consecutive5xxErrors (" +
                                       std::to_string(settings.policy.consecutive_5xx) +
                                       "); write consecutive5xxErrors: " + count +
                                       " or consecutiveGatewayErrors: " + count + ", or use semantics: legacy"));
      } else if (settings.sets_consecutive_gateway) {
        findings.push_back(warning("IST0133", id, origin, "is ignored because consecutiveGatewayErrors is set"));
      }
    });
  }
}

}  // namespace config
