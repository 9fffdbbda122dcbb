#include <algorithm>

#include "config/analyze/analyze.h"

// IST0174: a DestinationRule for a host that nobody declares. IST0173: a subset that no endpoint is in.
namespace config {

void find_rules_of_unknown_hosts(const Documents& documents, const Registry& registry, std::vector<Finding>& findings) {
  for (const DestinationRule& rule : documents.destination_rules) {
    const DocumentId id{"DestinationRule", rule.metadata.name_space, rule.metadata.name};
    const std::vector<const Registry::Entry*> services = registry.covered_by(rule.host);
    if (services.empty()) {
      Origin origin = rule.metadata.origin;
      origin.path = "spec.host";
      findings.push_back(warning("IST0174", id, origin,
                                 "the host " + rule.host +
                                     " is not declared by any Service or ServiceEntry: the rule "
                                     "has no effect"));
      continue;
    }
    for (const Subset& subset : rule.subsets) {
      const bool has_endpoint = std::any_of(services.begin(), services.end(), [&](const Registry::Entry* entry) {
        // Nobody has asked for the endpoints of one that is not called.
        return !entry->is_in_use ||
               std::any_of(entry->endpoints.begin(), entry->endpoints.end(), [&](const EndpointDeclaration& endpoint) {
                 return includes(endpoint.labels, subset.labels);
               });
      });
      if (has_endpoint) continue;
      findings.push_back(warning("IST0173", id, subset.origin,
                                 "the subset " + subset.name + " has no endpoint: requests are answered with 503 UH"));
    }
  }
}

}  // namespace config
