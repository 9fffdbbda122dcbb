#include "config/analyze/analyze.h"

namespace config {

Finding warning(std::string_view code, const DocumentId& document, const Origin& origin, std::string message) {
  Finding finding;
  finding.severity = Severity::warning;
  finding.code = code;
  finding.document = document.to_string();
  finding.file = origin.file;
  finding.line = origin.line;
  finding.column = origin.column;
  finding.path = origin.path;
  finding.message = std::move(message);
  return finding;
}

void analyze(const Documents& documents, const Registry& registry, const RuleIndex& rules,
             std::vector<Finding>& findings) {
  find_unknown_destinations(documents, registry, rules, findings);
  find_conflicting_hosts(documents, findings);
  find_unreachable_rules(documents, findings);
  find_ignored_outlier_fields(documents, findings);
  find_impossible_ejections(documents, registry, findings);
  find_rules_of_unknown_hosts(documents, registry, findings);
}

}  // namespace config
