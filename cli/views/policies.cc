#include "cli/views/policies.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "cli/views/state_colour.h"

namespace cli {
namespace {

Table::Cell head(const char* text) { return {text, Colour::dim}; }

std::size_t badness(const std::string& state) {
  static constexpr std::array<std::string_view, 3> kFromBad{"rejected", "partial", "inactive"};
  const auto* const found = std::find(kFromBad.begin(), kFromBad.end(), state);
  return static_cast<std::size_t>(kFromBad.end() - found);
}

// File and line, or the object of a cluster.
std::string place(const admin::PolicyView& policy, const admin::PolicyFinding& finding) {
  std::string text = finding.line != 0
                         ? finding.file + ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column)
                         : policy.kind + " " + policy.name_space + "/" + policy.name;
  if (!finding.path.empty()) text += ": " + finding.path;
  return printable(text);
}

}  // namespace

std::string policies_text(const Fleet& fleet, const PolicyFilter& filter, const Terminal& terminal) {
  std::map<std::tuple<std::string, std::string, std::string>, const admin::PolicyView*> policies;
  std::size_t healthy = 0;
  for (const NodeReport& report : fleet) {
    for (const auto& policy : report.view.policies) {
      if (policy.kind == "Settings" && policy.state == "active") continue;  // of the installation, no policy
      if (!filter.name_space.empty() && policy.name_space != filter.name_space) continue;
      if (policy.name.find(filter.name) == policy.name.npos) continue;
      const admin::PolicyView*& known = policies[{policy.name_space, policy.kind, policy.name}];
      if (known == nullptr || badness(policy.state) > badness(known->state)) known = &policy;
    }
  }
  Table table;
  table.add({head("POLICY"), head("STATE"), head("IN FORCE"), head("FINDINGS")});
  std::string findings;
  for (const auto& [key, policy] : policies) {
    if (policy->state == "active") ++healthy;
    if (filter.is_only_troubled && policy->state != "rejected" && policy->state != "partial") continue;
    const bool is_older = policy->state == "rejected" && policy->is_in_force;
    table.add({{printable(policy->kind + " " + policy->name_space + "/" + policy->name)},
               {policy->state, colour_of(policy->state)},
               {is_older              ? "an earlier version"
                : policy->is_in_force ? "yes"
                                      : "no"},
               {policy->findings.empty() ? "-" : std::to_string(policy->findings.size())}});
    for (const auto& finding : policy->findings) {
      const auto colour = finding.severity == "error" ? Colour::red : Colour::yellow;
      findings += terminal.paint(colour, finding.severity) + " " + place(*policy, finding) + ": " +
                  printable(finding.message) + (finding.code.empty() ? "" : " [" + finding.code + "]") + "\n";
    }
  }
  if (policies.empty()) return "No policies.\n";
  const std::string summary = filter.is_only_troubled ? std::to_string(policies.size()) +
                                                            (policies.size() == 1 ? " policy, " : " policies, ") +
                                                            std::to_string(healthy) + " active\n"
                                                      : "";
  const std::string rows = table.row_count() > 1 ? table.to_string(terminal) : "";
  return summary + rows + (findings.empty() ? "" : "\n" + findings);
}

}  // namespace cli
