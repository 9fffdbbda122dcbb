#include "config/compile/traffic_policy.h"

#include <algorithm>
#include <tuple>

#include "config/compile/registry.h"

namespace config {
namespace {

bool is_wildcard(std::string_view host) { return host.starts_with('*'); }

using Rules = std::vector<const DestinationRule*>;

// Whether nobody outside its own namespace can see `rule`. A rule with a selector is private by itself.
bool is_private(const DestinationRule& rule) {
  if (rule.workload_selector) return true;
  const auto is_own = [&](const std::string& entry) { return entry == "." || entry == rule.metadata.name_space; };
  return !rule.export_to.empty() && std::all_of(rule.export_to.begin(), rule.export_to.end(), is_own);
}

// The rules of `name_space` that `is_candidate` lets through, for the most specific host that covers `host`.
template <typename Predicate>
Rules most_specific(const Documents& documents, std::string_view name_space, std::string_view host,
                    Predicate is_candidate) {
  Rules found;
  std::string_view best;
  for (const DestinationRule& rule : documents.destination_rules) {
    if (rule.metadata.name_space != name_space || !covers_host(rule.host, host) || !is_candidate(rule)) continue;
    const bool is_better =
        best.empty() || (is_wildcard(best) && (!is_wildcard(rule.host) || rule.host.size() > best.size()));
    if (is_better && rule.host != best) {
      best = rule.host;
      found.clear();
    }
    if (rule.host == best) found.push_back(&rule);
  }
  std::sort(found.begin(), found.end(), [](const DestinationRule* a, const DestinationRule* b) {
    if (is_older(a->metadata, b->metadata)) return true;
    if (is_older(b->metadata, a->metadata)) return false;
    return a < b;  // elements of one vector: document order
  });
  return found;
}

// Of one namespace's rules for a host: those whose selector picks the viewer stand alone, else those without one count.
HostRules choose(const Rules& rules, const Viewer& viewer) {
  const Labels* selector = nullptr;
  for (const DestinationRule* rule : rules) {
    if (selector == nullptr && rule->workload_selector && includes(viewer.labels, *rule->workload_selector)) {
      selector = &*rule->workload_selector;
    }
  }
  Rules chosen;
  for (const DestinationRule* rule : rules) {
    const bool counts = selector == nullptr ? !rule->workload_selector : rule->workload_selector == *selector;
    if (counts) chosen.push_back(rule);
  }
  return HostRules(std::move(chosen));
}

// What `name_space`, which is not the viewer's, exports to it.
Rules exported(const Documents& documents, std::string_view name_space, std::string_view host, const Viewer& viewer) {
  Rules rules =
      most_specific(documents, name_space, host, [](const DestinationRule& rule) { return !is_private(rule); });
  std::erase_if(
      rules, [&](const DestinationRule* rule) { return !is_visible(rule->export_to, name_space, viewer.name_space); });
  return rules;
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

std::string HostRules::origin(const Subset* subset) const {
  std::string text;
  const TrafficPolicy* const top = top_policy();
  for (const DestinationRule* rule : rules_) {
    const bool has_subset =
        std::any_of(rule->subsets.begin(), rule->subsets.end(), [&](const Subset& each) { return &each == subset; });
    const bool has_top = rule->policy && &*rule->policy == top;
    if (!has_subset && !has_top) continue;
    if (!text.empty()) text += ", ";
    const DocumentId id{"DestinationRule", rule->metadata.name_space, rule->metadata.name};
    text += describe(has_subset ? subset->origin : rule->metadata.origin, id);
  }
  return text;
}

HostRules find_rules(const Documents& documents, const Viewer& viewer, std::string_view host,
                     std::string_view service_namespace) {
  const std::string& root = documents.settings.root_namespace;
  // For clients of the root namespace its public rules are no closer than anybody's: they come last, as for all others.
  const Rules own = most_specific(documents, viewer.name_space, host, [&](const DestinationRule& rule) {
    if (viewer.name_space == root) return is_private(rule);
    return is_private(rule) || is_visible(rule.export_to, viewer.name_space, viewer.name_space);
  });
  // A namespace that has rules for the host ends the search even when none of their selectors picks the viewer.
  if (!own.empty()) return choose(own, viewer);
  if (const Rules rules = exported(documents, service_namespace, host, viewer); !rules.empty()) {
    return choose(rules, viewer);
  }
  return choose(exported(documents, root, host, viewer), viewer);
}

}  // namespace config
