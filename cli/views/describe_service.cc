#include "cli/views/describe_service.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "cli/views/backend_name.h"
#include "cli/views/duration_text.h"

namespace cli {
namespace {

constexpr const char* kNoDocument = "no document: what Istio does by default";

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + printable(word);
  return text;
}

// Parts per million as per cent: "50 %", "0.1 %".
std::string percent(std::uint64_t per_million) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g %%", static_cast<double>(per_million) / 10'000);
  return text;
}

std::string condition_text(const admin::ConditionView& condition) {
  std::string how = " is ";
  if (condition.how == "prefix") how = " starts with ";
  if (condition.how == "regex") how = " matches ";
  std::string text = printable(condition.on);
  if (condition.how == "present") {
    text += " is there";
  } else {
    text += how + printable(condition.value);
  }
  if (condition.ignores_case) text += " (in any case)";
  return condition.is_inverted ? "not (" + text + ")" : text;
}

std::string conditions_text(const admin::RouteView& route) {
  if (route.conditions.empty()) return "every request";
  std::string text;
  for (const auto& condition : route.conditions) text += (text.empty() ? "" : " and ") + condition_text(condition);
  return text;
}

std::string retries_text(const admin::RouteView& route) {
  if (route.retries == 0) return "no retries";
  std::string text = std::to_string(route.retries) + (route.retries == 1 ? " retry" : " retries");
  if (route.per_try_timeout) text += " of " + exact_duration(*route.per_try_timeout);
  std::string on;
  for (const std::string& word : route.retry_on) on += (on.empty() ? "" : ",") + printable(word);
  for (const std::uint64_t code : route.retry_status_codes) on += (on.empty() ? "" : ",") + std::to_string(code);
  return text + " on " + (on.empty() ? "nothing" : on);
}

std::string rules_text(const admin::RouteView& route) {
  std::string text = route.timeout ? "timeout " + exact_duration(*route.timeout) : "no timeout";
  text += "; " + retries_text(route);
  if (route.delay.per_million > 0) {
    text += "; " + percent(route.delay.per_million) + " delayed by " +
            exact_duration(std::chrono::milliseconds(route.delay.value));
  }
  if (route.abort.per_million > 0) {
    text += "; " + percent(route.abort.per_million) + " answered with " + std::to_string(route.abort.value);
  }
  return text;
}

// Of one node's view.
class Writer {
 public:
  Writer(const NodeReport& report, const std::string& host, const Terminal& terminal)
      : report_(report), host_(host), terminal_(terminal) {}

  // What callers with this route table are offered; empty: they do not see the service.
  [[nodiscard]] std::string rules(const admin::RouteTableView& table) const {
    std::string text;
    std::vector<std::uint64_t> backends;
    for (const auto& virtual_host : table.virtual_hosts) {
      if (virtual_host.name != host_ + ":" + std::to_string(virtual_host.port)) continue;
      text += "  port " + std::to_string(virtual_host.port) + "\n";
      std::size_t number = 0;
      for (const auto& route : virtual_host.routes) text += route_text(route, ++number, backends);
    }
    for (const std::uint64_t backend : backends) text += backend_text(backend);
    return text;
  }

 private:
  [[nodiscard]] const admin::BackendPolicyView* backend(std::uint64_t index) const {
    return index < report_.view.backends.size() ? &report_.view.backends[index] : nullptr;
  }

  // "v1" of this service, else "reviews.shop.svc.cluster.local:9080 v2".
  [[nodiscard]] std::string name_of(const admin::BackendPolicyView& backend) const {
    if (backend.host != host_) {
      return printable(backend.host) + ":" + std::to_string(backend.port) +
             (backend.subset.empty() ? "" : " subset " + printable(backend.subset));
    }
    return backend.subset.empty() ? "all endpoints" : "subset " + printable(backend.subset);
  }

  std::string route_text(const admin::RouteView& route, std::size_t number,
                         std::vector<std::uint64_t>& backends) const {
    std::uint64_t total = 0;
    for (const auto& destination : route.destinations) total += destination.weight;
    std::string to;
    for (const auto& destination : route.destinations) {
      const auto* const known = destination.backend ? backend(*destination.backend) : nullptr;
      to += (to.empty() ? "" : ", ") +
            (known == nullptr ? std::string("nowhere (503): no such host or subset") : name_of(*known));
      if (route.destinations.size() > 1 && total > 0) to += " " + percent(destination.weight * 1'000'000 / total);
      if (known != nullptr && std::find(backends.begin(), backends.end(), *destination.backend) == backends.end()) {
        backends.push_back(*destination.backend);
      }
    }
    if (route.direct_response) to = "answered with " + std::to_string(*route.direct_response) + " by the proxy";
    return "    " + std::to_string(number) + ". " + terminal_.paint(Colour::bold, conditions_text(route)) + "\n" +
           "       " + rules_text(route) + "\n" +  //
           "       to " + to + "\n" +              //
           from_text("       ", route.from);
  }

  std::string backend_text(std::uint64_t index) const {
    const admin::BackendPolicyView& policy = *backend(index);
    std::string text = "  " + terminal_.paint(Colour::bold, name_of(policy)) + "\n";
    text += "       " + endpoints_text(policy) + "\n";
    std::string limits;
    for (const auto& [name, most] : policy.limits) {
      std::string words = name;
      std::replace(words.begin(), words.end(), '_', ' ');
      limits += (limits.empty() ? "limits: " : ", ") + printable(words) + " " + std::to_string(most);
    }
    text +=
        "       " + (limits.empty() ? "no limits" : limits) + "; balanced by " + printable(policy.load_balancer) + "\n";
    text += "       " + ejection_text(policy) + "\n";
    return text + from_text("       ", policy.from);
  }

  static std::string ejection_text(const admin::BackendPolicyView& policy) {
    if (!policy.outlier) return "no ejection";
    std::string when;
    if (policy.outlier->consecutive_5xx > 0) when += std::to_string(policy.outlier->consecutive_5xx) + " x 5xx";
    if (policy.outlier->consecutive_gateway > 0) {
      when += (when.empty() ? "" : " or ") + std::to_string(policy.outlier->consecutive_gateway) + " x 502, 503, 504";
    }
    if (when.empty()) return "no ejection: it has no condition";
    return "ejected after " + when + " in a row, for " + exact_duration(policy.outlier->base_ejection_time) +
           " and longer each time; at most " + std::to_string(policy.outlier->max_ejection_percent) + " % at a time";
  }

  std::string endpoints_text(const admin::BackendPolicyView& policy) const {
    std::set<std::string> ejected;
    for (const auto& known : report_.backends) {
      const auto name = split_backend_name(known.name);
      if (name.host != policy.host || name.subset != policy.subset || name.port != std::to_string(policy.port))
        continue;
      for (const auto& endpoint : known.endpoints) {
        if (endpoint.is_ejected) ejected.insert(endpoint.address);
      }
    }
    if (policy.endpoints.empty()) return terminal_.paint(Colour::red, "no endpoints");
    std::string text;
    for (const std::string& address : policy.endpoints) {
      text += (text.empty() ? "" : ", ") + printable(address);
      if (ejected.contains(address)) text += terminal_.paint(Colour::red, " (ejected)");
    }
    return text;
  }

  [[nodiscard]] std::string from_text(const std::string& indent, const std::string& from) const {
    return indent + terminal_.paint(Colour::dim, "from " + (from.empty() ? kNoDocument : printable(from))) + "\n";
  }

  const NodeReport& report_;
  const std::string& host_;
  const Terminal& terminal_;
};

std::string head_text(const Fleet& fleet, const std::string& host, const Terminal& terminal) {
  std::set<std::string> addresses, ports, nodes;
  for (const NodeReport& report : fleet) {
    for (const auto& service : report.view.services) {
      if (service.host != host) continue;
      addresses.insert(service.vips.begin(), service.vips.end());
      for (const auto& port : service.ports) {
        ports.insert(std::to_string(port.number) + " " + (port.name.empty() ? "" : port.name + " ") + "(" +
                     port.protocol + ")");
      }
      if (!report.node.empty()) nodes.insert(report.node);
    }
  }
  std::string text = terminal.paint(Colour::bold, printable(host)) + "\n";
  text += "  addresses  " + (addresses.empty() ? "none" : joined(addresses)) + "\n";
  text += "  ports      " + joined(ports) + "\n";
  if (!nodes.empty()) text += "  called on  " + joined(nodes) + "\n";
  return text;
}

}  // namespace

std::set<std::string> find_services(const Fleet& fleet, std::string_view name, std::string_view name_space) {
  std::set<std::string> hosts;
  for (const NodeReport& report : fleet) {
    for (const auto& service : report.view.services) {
      const bool is_named = service.name == name && (name_space.empty() || service.name_space == name_space);
      if (is_named || service.host == name || service.name + "." + service.name_space == name)
        hosts.insert(service.host);
    }
  }
  return hosts;
}

std::string describe_service(const Fleet& fleet, const std::string& host, const Terminal& terminal) {
  // Callers that are offered the same stand together, whichever node they are on.
  std::map<std::string, std::set<std::string>> callers;
  std::vector<std::string> order;
  for (const NodeReport& report : fleet) {
    const Writer writer(report, host, terminal);
    for (const auto& workload : report.view.workloads) {
      if (workload.route_table >= report.view.route_tables.size()) continue;
      const std::string rules = writer.rules(report.view.route_tables[workload.route_table]);
      if (!callers.contains(rules)) order.push_back(rules);
      callers[rules].insert(workload.name_space + "/" + workload.name);
    }
  }
  std::string text = head_text(fleet, host, terminal);
  for (const std::string& rules : order) {
    text += "\nFor " + joined(callers[rules]) + "\n";
    text += rules.empty() ? "  nothing: it is not exported to them, or no port of it is HTTP\n" : rules;
  }
  return text;
}

}  // namespace cli
