#include "config/compile/compile.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "config/analyze/analyze.h"
#include "config/compile/registry.h"
#include "config/compile/routes.h"
#include "config/compile/traffic_policy.h"

namespace config {
namespace {

// Collects the backends of all route tables. Viewers with the same policy of the same documents share one; limits are
// kept for each source anyway.
class Backends {
 public:
  Backends(const Documents& documents, const Registry& registry, const RuleIndex& rules, std::vector<Backend>& backends)
      : semantics_(documents.settings.semantics), registry_(registry), rules_(rules), backends_(backends) {}

  std::uint32_t find_or_add(const Viewer& viewer, const std::string& host, std::uint16_t port,
                            const std::string& subset_name) {
    const auto service = registry_.find(host);
    if (!service) return Destination::kUnknownBackend;
    const Registry::Entry& entry = registry_.entries()[*service];
    if (!is_visible(entry.export_to, entry.service.name_space, viewer.name_space)) return Destination::kUnknownBackend;
    const auto declared = std::find_if(entry.ports.begin(), entry.ports.end(),
                                       [&](const PortDeclaration& candidate) { return candidate.number == port; });
    if (declared == entry.ports.end()) return Destination::kUnknownBackend;
    const HostRules rules = rules_.find(viewer, host, entry.service.name_space);
    const Subset* subset = rules.find_subset(subset_name);
    if (subset == nullptr && !subset_name.empty()) return Destination::kUnknownBackend;

    const Labels& labels = subset == nullptr ? kNoLabels : subset->labels;
    const BackendPolicy policy = rules.policy(port, subset, semantics_);
    std::string origin = rules.origin(subset);
    auto& known = known_[std::tuple(*service, port, subset_name)];
    for (const Known& candidate : known) {
      const Backend& made = backends_[candidate.backend];
      if (candidate.labels == labels && made.policy == policy && made.origin == origin) return candidate.backend;
    }
    Backend backend;
    backend.name = "outbound|" + std::to_string(port) + "|" + subset_name + "|" + host;
    backend.service = *service;
    backend.port = port;
    backend.subset = subset_name;
    backend.endpoints = registry_.endpoints(entry, *declared, labels);
    backend.policy = policy;
    backend.origin = std::move(origin);
    const auto index = static_cast<std::uint32_t>(backends_.size());
    backends_.push_back(std::move(backend));
    known.push_back({labels, index});
    return index;
  }

 private:
  struct Known {
    Labels labels;
    std::uint32_t backend;
  };
  static const Labels kNoLabels;

  const Semantics semantics_;
  const Registry& registry_;
  const RuleIndex& rules_;
  std::vector<Backend>& backends_;
  std::map<std::tuple<std::uint32_t, std::uint16_t, std::string>, std::vector<Known>> known_;
};

const Labels Backends::kNoLabels;

// Every set of labels that some document asks of a source. Two sources of one namespace that answer all of them alike
// see the same.
std::set<Labels> source_selectors(const Documents& documents) {
  std::set<Labels> selectors;
  for (const VirtualService& service : documents.virtual_services) {
    for (const HttpRule& rule : service.http) {
      for (const HttpMatch& match : rule.matches) selectors.insert(match.source_labels);
    }
  }
  for (const DestinationRule& rule : documents.destination_rules) {
    if (rule.workload_selector) selectors.insert(*rule.workload_selector);
  }
  return selectors;
}

// Those in use and those that a route leads to. Until here backends name them by their place in the registry.
void add_services(const Registry& registry, CompileResult& result) {
  constexpr auto kLeftOut = static_cast<std::uint32_t>(-1);
  NodeConfig& config = result.config;
  std::vector<bool> is_wanted;
  for (const Registry::Entry& entry : registry.entries()) is_wanted.push_back(entry.is_in_use);
  for (const Backend& backend : config.backends) is_wanted[backend.service] = true;

  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < registry.entries().size(); ++i) {
    const Registry::Entry& entry = registry.entries()[i];
    for (const ServicePort& port : entry.service.ports) {
      if (port.protocol != Protocol::http) continue;
      for (const base::IpAddress& vip : entry.service.vips) result.destinations.push_back({vip, port.number});
    }
    places.push_back(is_wanted[i] ? static_cast<std::uint32_t>(config.services.size()) : kLeftOut);
    if (!is_wanted[i]) continue;
    config.services.push_back(entry.service);
    // Nobody has called this one, only a route leads to it: the proxy is to ask when somebody does.
    if (!entry.is_in_use) config.services.back().vips.clear();
    if (entry.is_kubernetes) result.hosts.insert(entry.service.host);
  }
  for (Backend& backend : config.backends) backend.service = places[backend.service];
}

}  // namespace

CompileResult compile(const Documents& documents, std::uint64_t generation) {
  CompileResult result;
  NodeConfig& config = result.config;
  config.generation = generation;
  config.settings = documents.settings.proxy;

  const Registry registry(documents, result.findings);
  config.has_services_on_demand = documents.services_in_use.has_value();

  const RuleIndex rules(documents);
  Backends backends(documents, registry, rules, config.backends);
  const std::set<Labels> selectors = source_selectors(documents);
  std::map<std::pair<std::string, std::vector<bool>>, std::uint32_t> tables;
  for (const WorkloadDocument& document : documents.workloads) {
    Workload workload;
    workload.name = document.metadata.name;
    workload.name_space = document.metadata.name_space;
    workload.labels = document.metadata.labels;
    workload.identity = identity_from_labels(workload.labels, workload.name, workload.name_space);

    std::vector<bool> view;
    for (const Labels& selector : selectors) view.push_back(includes(workload.labels, selector));
    const auto next = static_cast<std::uint32_t>(config.route_tables.size());
    const auto [table, is_new] = tables.try_emplace({workload.name_space, std::move(view)}, next);
    if (is_new) {
      const Viewer viewer{workload.name_space, workload.labels};
      config.route_tables.push_back(build_route_table(
          documents, registry, viewer, [&](const std::string& host, std::uint16_t port, const std::string& subset) {
            return backends.find_or_add(viewer, host, port, subset);
          }));
    }
    workload.route_table = table->second;
    config.workloads.push_back(std::move(workload));
  }
  add_services(registry, result);
  analyze(documents, registry, rules, result.findings);
  return result;
}

}  // namespace config
