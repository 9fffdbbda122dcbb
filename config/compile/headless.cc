#include "config/compile/headless.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/compile/registry.h"
#include "config/compile/routes.h"
#include "config/compile/traffic_policy.h"

namespace config {
namespace {

struct Candidate {
  std::string host;
  const KubernetesService* service;
};

// Few of a cluster's services are headless and named by anybody: the others cost no more than this.
std::vector<Candidate> candidates(const Documents& documents) {
  std::set<std::string_view> named;
  for (const VirtualService& service : documents.virtual_services) {
    named.insert(service.hosts.begin(), service.hosts.end());
  }
  for (const DestinationRule& rule : documents.destination_rules) named.insert(rule.host);

  std::vector<Candidate> found;
  for (const KubernetesService& service : documents.services) {
    if (!service.is_headless) continue;
    if (std::none_of(service.ports.begin(), service.ports.end(),
                     [](const PortDeclaration& port) { return port.protocol == Protocol::http; })) {
      continue;
    }
    std::string host = kubernetes_host(service.metadata, documents.settings.cluster_domain);
    if (named.contains(host)) found.push_back({std::move(host), &service});
  }
  return found;
}

bool is_named_by_virtual_service(const VirtualServices& services, const Viewer& viewer, const std::string& host) {
  const auto visible = visible_virtual_services(services, viewer.name_space);
  return std::any_of(visible.begin(), visible.end(), [&](const VirtualService* service) {
    return std::find(service->hosts.begin(), service->hosts.end(), host) != service->hosts.end();
  });
}

bool is_named_by_destination_rule(const RuleIndex& rules, const Viewer& viewer, const Candidate& candidate) {
  const HostRules found = rules.find(viewer, candidate.host, candidate.service->metadata.name_space);
  return std::any_of(found.rules().begin(), found.rules().end(),
                     [&](const DestinationRule* rule) { return rule->host == candidate.host; });
}

}  // namespace

std::set<std::string, std::less<>> headless_services_with_policies(const Documents& documents) {
  std::set<std::string, std::less<>> hosts;
  if (std::ranges::none_of(documents.services, &KubernetesService::is_headless)) return hosts;
  const VirtualServices services = oldest_first(documents.virtual_services);
  const RuleIndex rules(documents);
  for (const Candidate& candidate : candidates(documents)) {
    const auto sees_policy = [&](const WorkloadDocument& workload) {
      const Viewer viewer{workload.metadata.name_space, workload.metadata.labels};
      return is_visible(candidate.service->export_to, candidate.service->metadata.name_space, viewer.name_space) &&
             (is_named_by_virtual_service(services, viewer, candidate.host) ||
              is_named_by_destination_rule(rules, viewer, candidate));
    };
    if (std::any_of(documents.workloads.begin(), documents.workloads.end(), sees_policy)) hosts.insert(candidate.host);
  }
  return hosts;
}

}  // namespace config
