#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "config/compile/host_patterns.h"
#include "config/compile/registry.h"
#include "config/compile/traffic_policy.h"
#include "tests/unit/config/support.h"

// What is looked up in an index is what somebody would find who looks at everything: random documents, and for each
// index the plain search that says what it means.
namespace config {
namespace {

using ::testing::ElementsAreArray;

class RandomDocuments {
 public:
  explicit RandomDocuments(std::uint64_t seed) : random_(seed) {}

  std::string one_of(const std::vector<std::string>& choices) { return choices[random_.below(choices.size())]; }
  bool happens(std::uint64_t percent) { return random_.below(100) < percent; }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  std::string name_space() { return one_of({"shop", "bank", "istio-system"}); }
  std::string host() { return one_of({"web", "db", "a.web"}) + "." + one_of({"shop.svc", "bank.svc", "example.com"}); }
  std::string pattern() {
    return one_of({"*", "*.svc", "*.shop.svc", "*b.shop.svc", "*.com", "*.example.com", "*.web.example.com", host(),
                   host(), host(), host()});
  }
  Labels labels() {
    Labels labels;
    for (const char* const name : {"app", "tier", "version"}) {
      if (happens(40)) labels[name] = one_of({"one", "two"});
    }
    return labels;
  }
  std::vector<std::string> export_to() {
    std::vector<std::string> names;
    while (happens(40)) names.push_back(one_of({"*", ".", name_space(), name_space()}));
    return names;
  }
  Metadata metadata(const std::string& name) {
    Metadata metadata;
    metadata.name = name;
    metadata.name_space = name_space();
    metadata.labels = labels();
    if (happens(50)) metadata.creation_timestamp = one_of({"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"});
    metadata.origin.line = 1;
    metadata.origin.file = name;
    return metadata;
  }
  std::string name() { return "document-" + std::to_string(++names_); }

 private:
  base::Random random_;
  int names_ = 0;
};

constexpr std::uint64_t kSeeds = 200;

// Of equals, what was there before stays before.
template <typename T, typename Before>
void insert_in_order(std::vector<T>& sorted, T value, Before is_before) {
  sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), value, is_before), value);
}

// Whether, of two patterns that cover a host, `a` says more about it.
bool is_more_specific(const std::string& a, const std::string& b) {
  if (is_wildcard(a) != is_wildcard(b)) return is_wildcard(b);
  return a.size() > b.size();
}

TEST(HostPatterns, GivesEveryPatternThatCoversAHostTheMostSpecificFirst) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomDocuments random(seed);
    std::vector<std::string> patterns;
    for (std::uint64_t i = random.below(15); i-- > 0;) patterns.push_back(random.pattern());
    HostPatterns<std::size_t> index;
    for (std::size_t i = 0; i < patterns.size(); ++i) index.add(patterns[i], i);

    for (int i = 0; i < 20; ++i) {
      const std::string host = random.pattern();
      std::vector<std::size_t> expected, found;
      for (std::size_t each = 0; each < patterns.size(); ++each) {
        if (!covers_host(patterns[each], host)) continue;
        insert_in_order(expected, each, [&](auto a, auto b) { return is_more_specific(patterns[a], patterns[b]); });
      }
      index.for_each_covering(host, [&](const std::vector<std::size_t>& values) {
        found.insert(found.end(), values.begin(), values.end());
        return false;
      });
      EXPECT_THAT(found, ElementsAreArray(expected)) << "seed " << seed << ", host " << host;
    }
  }
}

// Of `name_space`, the rules for the most specific host that covers `host` and for which `counts` says so.
template <typename Predicate>
std::vector<const DestinationRule*> most_specific(const Documents& documents, const std::string& name_space,
                                                  const std::string& host, Predicate counts) {
  std::vector<const DestinationRule*> found;
  for (const DestinationRule& rule : documents.destination_rules) {
    if (rule.metadata.name_space != name_space || !covers_host(rule.host, host) || !counts(rule)) continue;
    if (!found.empty() && is_more_specific(found.front()->host, rule.host)) continue;
    if (!found.empty() && is_more_specific(rule.host, found.front()->host)) found.clear();
    insert_in_order<const DestinationRule*>(
        found, &rule, [](const auto* a, const auto* b) { return is_older(a->metadata, b->metadata); });
  }
  return found;
}

bool is_private(const DestinationRule& rule) {
  const auto is_own = [&](const std::string& entry) { return entry == "." || entry == rule.metadata.name_space; };
  return rule.workload_selector || (!rule.export_to.empty() && std::ranges::all_of(rule.export_to, is_own));
}

// The rules of one namespace that count for the viewer: those that select it, else those that select nobody.
std::vector<const DestinationRule*> chosen(std::vector<const DestinationRule*> rules, const Viewer& viewer) {
  const auto selects = [&](const DestinationRule* rule) {
    return rule->workload_selector && includes(viewer.labels, *rule->workload_selector);
  };
  const auto selected = std::ranges::find_if(rules, selects);
  const std::optional<Labels> selector = selected == rules.end() ? std::nullopt : (*selected)->workload_selector;
  std::erase_if(rules, [&](const DestinationRule* rule) { return rule->workload_selector != selector; });
  return rules;
}

std::vector<const DestinationRule*> rules_found_by_search(const Documents& documents, const Viewer& viewer,
                                                          const std::string& host, const std::string& owner) {
  const std::string root = documents.settings.root_namespace;
  const auto own = most_specific(documents, viewer.name_space, host, [&](const DestinationRule& rule) {
    return is_private(rule) ||
           (viewer.name_space != root && is_visible(rule.export_to, viewer.name_space, viewer.name_space));
  });
  if (!own.empty()) return chosen(own, viewer);
  for (const std::string& name_space : {owner, root}) {
    auto rules = most_specific(documents, name_space, host, [](const auto& rule) { return !is_private(rule); });
    std::erase_if(rules, [&](const auto* rule) { return !is_visible(rule->export_to, name_space, viewer.name_space); });
    if (!rules.empty()) return chosen(rules, viewer);
  }
  return {};
}

TEST(RuleIndex, FindsTheRulesThatASearchOfAllOfThemFinds) {
  std::size_t with_rules = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomDocuments random(seed);
    Documents documents;
    documents.settings.root_namespace = "istio-system";
    for (std::uint64_t i = random.below(20); i-- > 0;) {
      DestinationRule rule;
      rule.metadata = random.metadata(random.name());
      rule.host = random.pattern();
      rule.export_to = random.export_to();
      if (random.happens(25)) rule.workload_selector = random.labels();
      documents.destination_rules.push_back(std::move(rule));
    }
    const RuleIndex index(documents);
    for (int i = 0; i < 20; ++i) {
      const Viewer viewer{random.name_space(), random.labels()};
      const std::string host = random.host(), owner = random.name_space();
      const auto expected = rules_found_by_search(documents, viewer, host, owner);
      with_rules += expected.empty() ? 0 : 1;
      EXPECT_THAT(index.find(viewer, host, owner).rules(), ElementsAreArray(expected))
          << "seed " << seed << ", " << host << " of " << owner << " for " << viewer.name_space;
    }
  }
  EXPECT_GT(with_rules, kSeeds);
}

// The VirtualService whose routes a service has: of those that cover its host, one of the most specific host, the
// first.
const VirtualService* claimant_found_by_search(const Documents& documents, const std::string& host) {
  const VirtualService* best = nullptr;
  std::string best_host;
  for (const VirtualService& service : documents.virtual_services) {
    for (const std::string& pattern : service.hosts) {
      if (!covers_host(pattern, host) || (best != nullptr && !is_more_specific(pattern, best_host))) continue;
      best = &service;
      best_host = pattern;
    }
  }
  return best;
}

TEST(Compile, GivesAServiceTheRoutesOfTheVirtualServiceThatASearchOfAllOfThemFinds) {
  std::size_t routed = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomDocuments random(seed);
    Documents documents;
    documents.workloads.emplace_back().metadata.name_space = "shop";
    for (std::uint64_t i = random.below(12); i-- > 0;) {
      ServiceEntry entry;
      entry.metadata = random.metadata(random.name());
      entry.hosts = {random.host()};
      entry.ports = {{.number = static_cast<std::uint16_t>(random.happens(50) ? 80 : 9000), .name = "http"}};
      documents.service_entries.push_back(std::move(entry));
    }
    for (std::uint64_t i = random.below(12); i-- > 0;) {
      VirtualService service;
      service.metadata.name = random.name();
      service.metadata.name_space = random.name_space();
      service.gateways = {"mesh"};
      for (std::uint64_t host = 0; host <= random.below(3); ++host) service.hosts.push_back(random.pattern());
      HttpRule& rule = service.http.emplace_back();
      rule.name = service.metadata.name;
      rule.direct_response = DirectResponse{.status = 200, .body = {}};
      documents.virtual_services.push_back(std::move(service));
    }
    const CompileResult compiled = compile(documents, 1);
    for (const Service& service : compiled.config.services) {
      const VirtualService* const expected = claimant_found_by_search(documents, service.host);
      const VirtualHost* const host =
          test::find_virtual_host(compiled.config.route_tables.front(), service.ports.front().number, service.host);
      ASSERT_NE(host, nullptr) << "seed " << seed << ", " << service.host;
      EXPECT_EQ(host->routes.front().name, expected == nullptr ? "default" : expected->metadata.name)
          << "seed " << seed << ", " << service.host;
      routed += expected == nullptr ? 0 : 1;
    }
  }
  EXPECT_GT(routed, kSeeds);
}

// The Workload behind an endpoint: of those in the service's namespace all of whose labels it has, one with the most,
// the first.
std::string workload_found_by_search(const Documents& documents, const std::string& name_space, const Labels& labels) {
  const WorkloadDocument* best = nullptr;
  for (const WorkloadDocument& each : documents.workloads) {
    const Metadata& found = each.metadata;
    if (found.name_space != name_space || found.labels.empty() || !includes(labels, found.labels)) continue;
    if (best == nullptr || found.labels.size() > best->metadata.labels.size()) best = &each;
  }
  return best == nullptr ? "unknown" : best->metadata.name;
}

TEST(Registry, NamesTheWorkloadOfAnEndpointThatASearchOfAllOfThemFinds) {
  std::size_t known = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomDocuments random(seed);
    Documents documents;
    for (std::uint64_t i = random.below(12); i-- > 0;) {
      documents.workloads.emplace_back().metadata = random.metadata(random.name());
    }
    ServiceEntry entry;
    entry.metadata.name_space = random.name_space();
    entry.hosts = {"web.example.com"};
    entry.ports = {{.number = 80, .name = "http"}};
    for (int i = 0; i < 5; ++i) entry.endpoints.emplace_back().labels = random.labels();
    documents.service_entries.push_back(entry);

    std::vector<Finding> findings;
    const Registry registry(documents, findings);
    const auto endpoints = registry.endpoints(registry.entries().front(), entry.ports.front(), {});
    ASSERT_EQ(endpoints.size(), entry.endpoints.size());
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const std::string expected =
          workload_found_by_search(documents, entry.metadata.name_space, entry.endpoints[i].labels);
      EXPECT_EQ(endpoints[i].identity.workload, expected) << "seed " << seed << ", endpoint " << i;
      known += expected == "unknown" ? 0 : 1;
    }
  }
  EXPECT_GT(known, kSeeds / 2);
}

}  // namespace
}  // namespace config
