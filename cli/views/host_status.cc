#include "cli/views/host_status.h"

#include <algorithm>
#include <string_view>

#include "cli/views/state_colour.h"

namespace cli {
namespace {

std::string proxy_line(const admin::NodeView& node, const Terminal& terminal) {
  std::string line = terminal.paint(Colour::bold, "proxy") + "  ";
  line += node.is_proxy_up ? terminal.paint(Colour::green, "up") : terminal.paint(Colour::red, "down");
  if (!node.is_proxy_up) return line + "; connections pass untouched until it is back\n";
  line += ", generation " + std::to_string(node.proxy_generation);
  if (node.proxy_generation == node.generation) {
    line += " (the newest)";
  } else {
    line += terminal.paint(Colour::yellow, " (the newest is " + std::to_string(node.generation) + ")");
  }
  if (!node.semantics.empty()) line += ", semantics " + node.semantics;
  if (node.proxy_restarts > 0) line += ", restarts " + std::to_string(node.proxy_restarts);
  return line + "\n";
}

std::string workload_table(const admin::NodeView& node, const Terminal& terminal) {
  if (node.workloads.empty()) return "\nNo workloads: a document of kind Workload says which processes are guided.\n";
  Table table;
  table.add({{"WORKLOAD", Colour::dim}, {"INSTANCE", Colour::dim}, {"STATE", Colour::dim}, {"", Colour::dim}});
  for (const auto& workload : node.workloads) {
    const std::string name = printable(workload.name_space + "/" + workload.name);
    if (workload.instances.empty()) table.add({{name}, {"-"}, {"not running", Colour::dim}});
    for (const auto& instance : workload.instances) {
      table.add({{name},
                 {printable(instance.name)},
                 {instance.state, colour_of(instance.state)},
                 {printable(instance.reason)}});
    }
  }
  return "\n" + table.to_string(terminal);
}

// A document that cannot be read may not even say what it is.
std::string name_of(const admin::PolicyView& policy) {
  if (!policy.name.empty()) return policy.kind + " " + policy.name_space + "/" + policy.name;
  return (policy.kind == "unknown" ? "document" : policy.kind) + " without a name";
}

std::string policy_table(const admin::NodeView& node, const Terminal& terminal) {
  if (node.policies.empty()) return "\nNo policies.\n";
  Table table;
  table.add({{"POLICY", Colour::dim}, {"STATE", Colour::dim}, {"FILE", Colour::dim}});
  for (const auto& policy : node.policies) {
    std::string file = policy.file;
    if (policy.state == "rejected" && policy.is_in_force) file += "  (the last good version stays in force)";
    table.add({{printable(name_of(policy))}, {policy.state, colour_of(policy.state)}, {printable(file)}});
  }
  return "\n" + table.to_string(terminal);
}

std::string findings_text(const admin::NodeView& node, const Terminal& terminal) {
  std::string text;
  for (const auto& policy : node.policies) {
    for (const auto& finding : policy.findings) {
      const auto colour = finding.severity == "error" ? Colour::red : Colour::yellow;
      const std::string place =
          finding.line == 0 ? "" : ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column);
      text += terminal.paint(colour, finding.severity) + " " + printable(finding.file) + place + ": " +
              printable(finding.path) + (finding.path.empty() ? "" : ": ") + printable(finding.message) +
              (finding.code.empty() ? "" : " [" + finding.code + "]") + "\n";
    }
  }
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

bool is_healthy(const admin::NodeView& node) {
  const bool has_rejected = std::any_of(node.policies.begin(), node.policies.end(),
                                        [](const auto& policy) { return policy.state == "rejected"; });
  bool has_error = false;
  for (const auto& workload : node.workloads) {
    for (const auto& instance : workload.instances) has_error = has_error || instance.state == "error";
  }
  return node.is_proxy_up && node.proxy_generation == node.generation && !has_rejected && !has_error;
}

std::string status_text(const admin::NodeView& node, const Terminal& terminal) {
  return proxy_line(node, terminal) + workload_table(node, terminal) + policy_table(node, terminal) +
         findings_text(node, terminal);
}

}  // namespace cli
