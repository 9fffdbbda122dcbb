#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "config/analyze/analyze.h"
#include "config/compile/routes.h"

// IST0109: two VirtualServices for one host of the mesh; they are not merged.
namespace config {
namespace {

// Those with a host that another document has as well. Hardly any, of thousands.
VirtualServices contested(const Documents& documents) {
  std::unordered_map<std::string_view, std::size_t> claims;
  for (const VirtualService& service : documents.virtual_services) {
    for (const std::string& host : service.hosts) ++claims[host];
  }
  VirtualServices services = oldest_first(documents.virtual_services);
  const auto is_claimed_twice = [&](const std::string& host) { return claims[host] > 1; };
  std::erase_if(services,
                [&](const VirtualService* service) { return std::ranges::none_of(service->hosts, is_claimed_twice); });
  return services;
}

}  // namespace

void find_conflicting_hosts(const Documents& documents, std::vector<Finding>& findings) {
  const VirtualServices services = contested(documents);
  if (services.empty()) return;
  std::set<std::pair<const VirtualService*, std::string_view>> reported;
  std::set<std::string_view> viewers;  // namespaces: who is in one sees the same
  for (const VirtualService& viewer : documents.virtual_services) {
    if (!viewers.insert(viewer.metadata.name_space).second) continue;
    std::map<std::string_view, const VirtualService*> owners;
    for (const VirtualService* service : visible_virtual_services(services, viewer.metadata.name_space)) {
      for (const std::string& host : service->hosts) {
        const auto [owner, is_new] = owners.emplace(host, service);
        if (is_new || owner->second == service || !reported.emplace(service, host).second) continue;
        const Metadata& winner = owner->second->metadata;
        findings.push_back(warning("IST0109", {"VirtualService", service->metadata.name_space, service->metadata.name},
                                   service->metadata.origin,
                                   "the host " + host + " belongs to VirtualService " + winner.name_space + "/" +
                                       winner.name + ", which is older; for this host nothing of this one has effect"));
      }
    }
  }
}

}  // namespace config
