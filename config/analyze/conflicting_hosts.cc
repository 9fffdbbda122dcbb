#include <map>
#include <set>
#include <string_view>

#include "config/analyze/analyze.h"
#include "config/compile/routes.h"

// IST0109: two VirtualServices for one host of the mesh; they are not merged.
namespace config {

void find_conflicting_hosts(const Documents& documents, std::vector<Finding>& findings) {
  std::map<std::pair<const VirtualService*, std::string>, bool> reported;
  std::set<std::string_view> viewers;  // namespaces: who is in one sees the same
  for (const VirtualService& viewer : documents.virtual_services) {
    if (!viewers.insert(viewer.metadata.name_space).second) continue;
    std::map<std::string, const VirtualService*> owners;
    for (const VirtualService* service : visible_virtual_services(documents, viewer.metadata.name_space)) {
      for (const std::string& host : service->hosts) {
        const auto [owner, is_new] = owners.emplace(host, service);
        if (is_new || owner->second == service || !reported.emplace(std::pair(service, host), true).second) continue;
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
