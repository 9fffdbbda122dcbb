#include "config/compile/traffic_policy.h"

#include <algorithm>
#include <tuple>

#include "config/compile/registry.h"

namespace config {
namespace {

bool is_wildcard(std::string_view host) { return host.starts_with('*'); }

// Of `name_space`, the rules of the most specific host that covers `host`; `exports_to` filters what is not for the
// viewer's namespace.
std::vector<const DestinationRule*> rules_of(const Documents& documents, std::string_view name_space,
                                             std::string_view host, const Viewer& viewer) {
  std::vector<const DestinationRule*> found;
  std::string_view best;
  for (const DestinationRule& rule : documents.destination_rules) {
    if (rule.metadata.name_space != name_space || !covers_host(rule.host, host)) continue;
    if (!is_visible(rule.export_to, name_space, viewer.name_space)) continue;
    // A rule with a selector is private: it counts for matching clients of its own namespace only.
    if (rule.workload_selector &&
        (name_space != viewer.name_space || !includes(viewer.labels, *rule.workload_selector))) {
      continue;
    }
    const bool is_better =
        best.empty() || (is_wildcard(best) && (!is_wildcard(rule.host) || rule.host.size() > best.size()));
    if (is_better && rule.host != best) {
      best = rule.host;
      found.clear();
    }
    if (rule.host == best) found.push_back(&rule);
  }
  std::sort(found.begin(), found.end(), [](const DestinationRule* a, const DestinationRule* b) {
    if (a->workload_selector.has_value() != b->workload_selector.has_value()) return a->workload_selector.has_value();
    if (is_older(a->metadata, b->metadata)) return true;
    if (is_older(b->metadata, a->metadata)) return false;
    return a < b;  // elements of one vector: document order
  });
  return found;
}

const TrafficPolicy* find_port(const TrafficPolicy& policy, std::uint16_t port) {
  const auto found = policy.ports.find(port);
  return found == policy.ports.end() ? nullptr : &found->second;
}

// Port-level settings replace the four blocks as a whole: a block missing there is at its default.
TrafficPolicy at_port(const TrafficPolicy& policy, std::uint16_t port) {
  const TrafficPolicy* at = find_port(policy, port);
  TrafficPolicy result = at != nullptr ? *at : policy;
  result.retry_budget = at != nullptr ? std::nullopt : policy.retry_budget;
  return result;
}

OutlierPolicy resolve(const OutlierSettings& settings, Semantics semantics) {
  OutlierPolicy policy = settings.policy;
  if (semantics == Semantics::legacy) {
    policy.always_ejects_one_host = true;
    if (settings.consecutive_errors > 0 && !settings.sets_consecutive_gateway) {
      policy.consecutive_gateway = settings.consecutive_errors;
      if (!settings.sets_consecutive_5xx) policy.consecutive_5xx = 0;
    }
  }
  return policy;
}

}  // namespace

bool is_older(const Metadata& a, const Metadata& b) {
  if (a.creation_timestamp != b.creation_timestamp) return a.creation_timestamp < b.creation_timestamp;
  if (a.creation_timestamp.empty()) return false;
  return std::tie(a.name, a.name_space) < std::tie(b.name, b.name_space);
}

bool covers_host(std::string_view pattern, std::string_view host) {
  if (!is_wildcard(pattern)) return pattern == host;
  if (is_wildcard(host)) return host.size() >= pattern.size() && host.ends_with(pattern.substr(1));
  return host.size() >= pattern.size() - 1 && host.ends_with(pattern.substr(1));
}

const Subset* HostRules::find_subset(std::string_view name) const {
  for (const DestinationRule* rule : rules_) {
    for (const Subset& subset : rule->subsets) {
      if (subset.name == name) return &subset;
    }
  }
  return nullptr;
}

const TrafficPolicy* HostRules::top_policy() const {
  for (const DestinationRule* rule : rules_) {
    if (rule->policy) return &*rule->policy;
  }
  return nullptr;
}

BackendPolicy HostRules::policy(std::uint16_t port, const Subset* subset, Semantics semantics) const {
  TrafficPolicy blocks;
  if (const TrafficPolicy* top = top_policy()) blocks = at_port(*top, port);
  if (subset != nullptr && subset->policy) {
    const bool has_port = find_port(*subset->policy, port) != nullptr;
    const TrafficPolicy overlay = at_port(*subset->policy, port);
    if (overlay.load_balancer || has_port) blocks.load_balancer = overlay.load_balancer;
    if (overlay.connection_pool || has_port) blocks.connection_pool = overlay.connection_pool;
    if (overlay.outlier || has_port) blocks.outlier = overlay.outlier;
    if (overlay.retry_budget) blocks.retry_budget = overlay.retry_budget;
  }
  BackendPolicy result;
  result.load_balancer = blocks.load_balancer.value_or(LoadBalancer::least_request);
  if (blocks.connection_pool) result.connection_pool = *blocks.connection_pool;
  if (blocks.outlier) result.outlier = resolve(*blocks.outlier, semantics);
  result.retry_budget = blocks.retry_budget;
  return result;
}

HostRules find_rules(const Documents& documents, const Viewer& viewer, std::string_view host,
                     std::string_view service_namespace) {
  const std::string& root = documents.settings.root_namespace;
  // For clients of the root namespace its rules are no closer than anybody's: they come last, as for all others.
  if (viewer.name_space != root) {
    if (auto rules = rules_of(documents, viewer.name_space, host, viewer); !rules.empty())
      return HostRules(std::move(rules));
  }
  if (auto rules = rules_of(documents, service_namespace, host, viewer); !rules.empty())
    return HostRules(std::move(rules));
  return HostRules(rules_of(documents, root, host, viewer));
}

}  // namespace config
