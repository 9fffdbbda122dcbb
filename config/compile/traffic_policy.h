#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/compile/host_patterns.h"
#include "config/documents.h"

namespace config {

// Who looks: rules are seen from the source's namespace and labels.
struct Viewer {
  std::string name_space;
  Labels labels;
};

// The DestinationRules that count for one host and viewer, already merged; empty when there is none.
class HostRules {
 public:
  HostRules() = default;
  explicit HostRules(std::vector<const DestinationRule*> rules) : rules_(std::move(rules)) {}

  [[nodiscard]] const std::vector<const DestinationRule*>& rules() const { return rules_; }
  [[nodiscard]] const Subset* find_subset(std::string_view name) const;
  // The policy of the rule itself, without a subset's.
  [[nodiscard]] const TrafficPolicy* top_policy() const;
  // Inheritance and the profile applied (SEMANTICS 2.4, and its table of profiles).
  [[nodiscard]] BackendPolicy policy(std::uint16_t port, const Subset* subset, Semantics semantics) const;
  // The documents that policy() and find_subset() took it from: "a.yaml:3 DestinationRule shop/greeter subsets[0]".
  [[nodiscard]] std::string origin(const Subset* subset) const;

 private:
  std::vector<const DestinationRule*> rules_;  // of one host and namespace; the first one's policy counts
};

// All DestinationRules, by namespace and host.
class RuleIndex {
 public:
  // `documents` outlives it.
  explicit RuleIndex(const Documents& documents);

  // Client namespace, then the service's, then the root namespace; the first that has a rule wins, and in it an exact
  // host before the longest wildcard.
  [[nodiscard]] HostRules find(const Viewer& viewer, std::string_view host, std::string_view service_namespace) const;

 private:
  using Rules = std::vector<const DestinationRule*>;
  template <typename Predicate>
  [[nodiscard]] Rules most_specific(std::string_view name_space, std::string_view host, Predicate is_candidate) const;
  // What `name_space`, which is not the viewer's, exports to it.
  [[nodiscard]] Rules exported(std::string_view name_space, std::string_view host, const Viewer& viewer) const;

  const std::string& root_namespace_;
  std::unordered_map<std::string_view, HostPatterns<const DestinationRule*>> by_namespace_;
};

// Older documents count first. Without a time (a user's file) neither is older: the order of the documents is their
// age.
bool is_older(const Metadata& a, const Metadata& b);

// Documents that come first in `documents` are the older ones where is_older() does not say.
template <typename T>
std::vector<const T*> oldest_first(const SharedList<T>& documents) {
  std::vector<std::pair<std::size_t, const T*>> placed;  // std::stable_sort would need memory of its own as well
  placed.reserve(documents.size());
  for (const T& document : documents) placed.emplace_back(placed.size(), &document);
  std::ranges::sort(placed, [](const auto& a, const auto& b) {
    if (is_older(a.second->metadata, b.second->metadata)) return true;
    if (is_older(b.second->metadata, a.second->metadata)) return false;
    return a.first < b.first;
  });
  std::vector<const T*> sorted;
  sorted.reserve(placed.size());
  for (const auto& [place, document] : placed) sorted.push_back(document);
  return sorted;
}

}  // namespace config
