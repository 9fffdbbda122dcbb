#include "config/compile/traffic_policy.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "config/compile/registry.h"

namespace config {
namespace {

using Rules = std::vector<const DestinationRule*>;

// Whether nobody outside its own namespace can see `rule`. A rule with a selector is private by itself.
bool is_private(const DestinationRule& rule) {
  if (rule.workload_selector) return true;
  const auto is_own = [&](const std::string& entry) { return entry == "." || entry == rule.metadata.name_space; };
  return !rule.export_to.empty() && std::all_of(rule.export_to.begin(), rule.export_to.end(), is_own);
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

RuleIndex::RuleIndex(const Documents& documents) : root_namespace_(documents.settings.root_namespace) {
  for (const DestinationRule* rule : oldest_first(documents.destination_rules)) {
    by_namespace_[rule->metadata.name_space].add(rule->host, rule);
  }
}

// The rules of `name_space` that `is_candidate` lets through, for the most specific host that covers `host`.
template <typename Predicate>
RuleIndex::Rules RuleIndex::most_specific(std::string_view name_space, std::string_view host,
                                          Predicate is_candidate) const {
  const auto own = by_namespace_.find(name_space);
  if (own == by_namespace_.end()) return {};
  Rules found;
  own->second.for_each_covering(host, [&](const Rules& rules) {
    std::copy_if(rules.begin(), rules.end(), std::back_inserter(found),
                 [&](const DestinationRule* rule) { return is_candidate(*rule); });
    return !found.empty();
  });
  return found;
}

RuleIndex::Rules RuleIndex::exported(std::string_view name_space, std::string_view host, const Viewer& viewer) const {
  Rules rules = most_specific(name_space, host, [](const DestinationRule& rule) { return !is_private(rule); });
  std::erase_if(
      rules, [&](const DestinationRule* rule) { return !is_visible(rule->export_to, name_space, viewer.name_space); });
  return rules;
}

HostRules RuleIndex::find(const Viewer& viewer, std::string_view host, std::string_view service_namespace) const {
  // For clients of the root namespace its public rules are no closer than anybody's: they come last, as for all others.
  const Rules own = most_specific(viewer.name_space, host, [&](const DestinationRule& rule) {
    if (viewer.name_space == root_namespace_) return is_private(rule);
    return is_private(rule) || is_visible(rule.export_to, viewer.name_space, viewer.name_space);
  });
  // A namespace that has rules for the host ends the search even when none of their selectors picks the viewer.
  if (!own.empty()) return choose(own, viewer);
  if (const Rules rules = exported(service_namespace, host, viewer); !rules.empty()) return choose(rules, viewer);
  return choose(exported(root_namespace_, host, viewer), viewer);
}

}  // namespace config
