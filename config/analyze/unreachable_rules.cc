#include <algorithm>

#include "config/analyze/analyze.h"
#include "config/compile/routes.h"

// IST0130: a rule after one that takes every request. IST0131: a condition that an earlier rule has already.
namespace config {
namespace {

// Takes every request of every client.
bool takes_everything(const HttpMatch& match) {
  return is_catch_all(match.match) && match.port == 0 && match.source_labels.empty() &&
         match.source_namespace.empty() && match.gateways.empty();
}

bool is_same(const HttpMatch& a, const HttpMatch& b) {
  return a.match == b.match && a.port == b.port && a.source_labels == b.source_labels &&
         a.source_namespace == b.source_namespace && a.gateways == b.gateways;
}

bool has_effect(const HttpRule& rule) { return !rule.destinations.empty() || rule.direct_response; }

void check(const VirtualService& service, std::vector<Finding>& findings) {
  const DocumentId id{"VirtualService", service.metadata.name_space, service.metadata.name};
  const HttpRule* last = nullptr;  // the rule that takes everything
  std::vector<const HttpMatch*> seen;
  for (const HttpRule& rule : service.http) {
    if (last != nullptr) {
      findings.push_back(warning("IST0130", id, rule.origin,
                                 "no request reaches this rule: the one at line " + std::to_string(last->origin.line) +
                                     " takes all of them; move this one before it"));
      continue;
    }
    for (const HttpMatch& match : rule.matches) {
      if (std::any_of(seen.begin(), seen.end(), [&](const HttpMatch* other) { return is_same(*other, match); })) {
        findings.push_back(
            warning("IST0131", id, rule.origin, "has a condition that is there before; it has no effect"));
      }
      seen.push_back(&match);
    }
    const bool is_last =
        rule.matches.empty() || std::any_of(rule.matches.begin(), rule.matches.end(), takes_everything);
    if (is_last && has_effect(rule)) last = &rule;
  }
}

}  // namespace

void find_unreachable_rules(const Documents& documents, std::vector<Finding>& findings) {
  for (const VirtualService& service : documents.virtual_services) check(service, findings);
}

}  // namespace config
