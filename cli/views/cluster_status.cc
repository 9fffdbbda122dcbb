#include "cli/views/cluster_status.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "cli/views/duration_text.h"
#include "cli/views/host_status.h"
#include "cli/views/policies.h"
#include "cli/views/state_colour.h"

namespace cli {
namespace {

Table::Cell head(const char* text) { return {text, Colour::dim}; }

std::size_t count(const admin::NodeView& node, std::string_view state) {
  return static_cast<std::size_t>(
      std::count_if(node.pods.begin(), node.pods.end(), [&](const auto& pod) { return pod.state == state; }));
}

// How old what the agent knows is at most.
Table::Cell age(const admin::NodeView& node) {
  std::chrono::milliseconds oldest{0};
  for (const auto& watch : node.watches) {
    if (!watch.age) return {"nothing yet: " + watch.resource, Colour::yellow};
    oldest = std::max(oldest, *watch.age);
  }
  constexpr std::chrono::minutes kLong{5};
  return {short_duration(oldest), oldest > kLong ? Colour::red : Colour::plain};
}

// While the DaemonSet is being updated, another version than the agent's may serve.
Table::Cell proxy(const admin::NodeView& node) {
  if (!node.is_proxy_up) return {"down", Colour::red};
  const std::string version = node.proxy_version.empty() ? "" : printable(node.proxy_version) + " ";
  if (node.proxy_generation != node.generation) return {version + "behind", Colour::yellow};
  const std::string restarts = node.proxy_restarts == 0 ? "" : ", restarts " + std::to_string(node.proxy_restarts);
  return {version + "up" + restarts, Colour::green};
}

std::string node_table(const Fleet& fleet, const Terminal& terminal) {
  Table table;
  table.add({head("NODE"), head("AGENT"), head("KERNEL"), head("PROXY"), head("CAPTURED"), head("SKIPPED"),
             head("PENDING"), head("ERROR"), head("CONFIG AGE")});
  std::string errors;
  for (const NodeReport& report : fleet) {
    const admin::NodeView& node = report.view;
    if (!report.error.empty()) {
      table.add({{printable(report.node)}, {"-", Colour::red}});
      errors +=
          terminal.paint(Colour::red, "error") + " " + printable(report.node) + ": " + printable(report.error) + "\n";
      continue;
    }
    const std::size_t failed = count(node, "error");
    table.add({{printable(report.node)},
               {printable(node.version)},
               {printable(node.kernel)},
               proxy(node),
               {std::to_string(count(node, "redirected")), Colour::green},
               {std::to_string(count(node, "skipped"))},
               {std::to_string(count(node, "pending"))},
               {std::to_string(failed), failed == 0 ? Colour::plain : Colour::red},
               age(node)});
    for (const auto& watch : node.watches) {
      if (watch.error.empty()) continue;
      errors += terminal.paint(Colour::red, "error") + " " + printable(report.node) + ": " + printable(watch.resource) +
                ": " + printable(watch.error) + "\n";
    }
  }
  return table.to_string(terminal) + (errors.empty() ? "" : "\n" + errors);
}

// Whole namespaces are left out for one reason: a line for each pod would hide the others.
std::string not_captured(const Fleet& fleet, const Terminal& terminal) {
  struct Key {
    std::string name_space, state, reason, node;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::vector<std::string>> groups;
  for (const NodeReport& report : fleet) {
    for (const auto& pod : report.view.pods) {
      if (pod.state == "redirected") continue;
      groups[{pod.name_space, pod.state, pod.reason, report.node}].push_back(pod.name);
    }
  }
  if (groups.empty()) return "";
  Table table;
  table.add({head("NOT CAPTURED"), head("NODE"), head("STATE"), head("REASON")});
  for (const auto& [key, pods] : groups) {
    const std::string name = pods.size() == 1 ? key.name_space + "/" + pods.front()
                                              : key.name_space + " (" + std::to_string(pods.size()) + " pods)";
    table.add({{printable(name)}, {printable(key.node)}, {key.state, colour_of(key.state)}, {printable(key.reason)}});
  }
  return "\n" + table.to_string(terminal);
}

}  // namespace

bool is_healthy(const Fleet& fleet) {
  return std::all_of(fleet.begin(), fleet.end(), [](const NodeReport& report) {
    const auto& watches = report.view.watches;
    return report.error.empty() && is_healthy(report.view) && count(report.view, "error") == 0 &&
           std::all_of(watches.begin(), watches.end(), [](const auto& watch) { return watch.error.empty(); });
  });
}

std::string cluster_status_text(const Fleet& fleet, const Terminal& terminal) {
  return node_table(fleet, terminal) + not_captured(fleet, terminal) + "\n" +
         policies_text(fleet, {.is_only_troubled = true}, terminal);
}

}  // namespace cli
