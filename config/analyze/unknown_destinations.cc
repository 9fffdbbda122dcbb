#include <algorithm>

#include "config/analyze/analyze.h"

// IST0101: a route names a host, a subset or a port that does not exist.
namespace config {
namespace {

void check(const Registry& registry, const RuleIndex& rules, const VirtualService& service,
           const RouteDestination& destination, std::vector<Finding>& findings) {
  const DocumentId id{"VirtualService", service.metadata.name_space, service.metadata.name};
  const auto index = registry.find(destination.host);
  if (!index) {
    findings.push_back(warning("IST0101", id, destination.origin,
                               "the host " + destination.host +
                                   " is not declared by any Service or ServiceEntry: "
                                   "requests are answered with 503 NC"));
    return;
  }
  const Registry::Entry& entry = registry.entries()[*index];
  const Viewer viewer{service.metadata.name_space, {}};
  if (!destination.subset.empty() &&
      rules.find(viewer, destination.host, entry.service.name_space).find_subset(destination.subset) == nullptr) {
    findings.push_back(warning("IST0101", id, destination.origin,
                               "the subset " + destination.subset + " of " + destination.host +
                                   " is not declared by any DestinationRule: requests are answered with 503 NC"));
  }
  const auto has_port = [&](std::uint16_t number) {
    return std::any_of(entry.ports.begin(), entry.ports.end(),
                       [&](const PortDeclaration& port) { return port.number == number; });
  };
  if (destination.port != 0 && !has_port(destination.port)) {
    findings.push_back(warning(
        kNoSuchPort, id, destination.origin,
        destination.host + " has no port " + std::to_string(destination.port) + ": requests are answered with 503 NC"));
  }
  if (destination.port != 0) return;
  // Without a number the port is the one the client connected to, even if the destination has only one, and another.
  for (const std::string& host : service.hosts) {
    const auto source = registry.find(host);
    if (!source) continue;
    for (const PortDeclaration& port : registry.entries()[*source].ports) {
      if (port.protocol != Protocol::http || has_port(port.number)) continue;
      findings.push_back(warning(kNoSuchPort, id, destination.origin,
                                 "no port is given and " + destination.host + " has no port " +
                                     std::to_string(port.number) + ", to which clients of " + host +
                                     " connect: requests are answered with 503 NC; add port: {number: ...}"));
    }
  }
}

}  // namespace

void find_unknown_destinations(const Documents& documents, const Registry& registry, const RuleIndex& rules,
                               std::vector<Finding>& findings) {
  for (const VirtualService& service : documents.virtual_services) {
    for (const HttpRule& rule : service.http) {
      for (const RouteDestination& destination : rule.destinations) {
        check(registry, rules, service, destination, findings);
      }
    }
  }
}

}  // namespace config
