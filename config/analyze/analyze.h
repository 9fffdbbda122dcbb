#pragma once

#include <vector>

#include "config/compile/registry.h"
#include "config/compile/traffic_policy.h"
#include "config/documents.h"
#include "config/finding.h"

// What each document says is fine by itself, and together they still do not do what their author expects. Codes are
// those of Istio's analyzers where it has one.
namespace config {

void analyze(const Documents& documents, const Registry& registry, const RuleIndex& rules,
             std::vector<Finding>& findings);

// One function for each kind of finding.
void find_unknown_destinations(const Documents& documents, const Registry& registry, const RuleIndex& rules,
                               std::vector<Finding>& findings);
void find_conflicting_hosts(const Documents& documents, std::vector<Finding>& findings);       // IST0109
void find_unreachable_rules(const Documents& documents, std::vector<Finding>& findings);       // IST0130, IST0131
void find_ignored_outlier_fields(const Documents& documents, std::vector<Finding>& findings);  // IST0133
void find_impossible_ejections(const Documents& documents, const Registry& registry, std::vector<Finding>& findings);
void find_rules_of_unknown_hosts(const Documents& documents, const Registry& registry,
                                 std::vector<Finding>& findings);  // IST0174, IST0173

// A finding about a place in `document`.
Finding warning(std::string_view code, const DocumentId& document, const Origin& origin, std::string message);

}  // namespace config
