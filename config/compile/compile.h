#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "config/documents.h"
#include "config/finding.h"
#include "config/model/node_config.h"

namespace config {

struct CompileResult {
  NodeConfig config;
  std::vector<Finding> findings;  // what is wrong between documents: unknown hosts, conflicts, rules nobody reaches
  // Connections to these are to be redirected: HTTP ports of all services, whether they are in use or not.
  std::vector<base::SocketAddress> destinations;
  // Hosts of the Kubernetes Services that `config` has: those in use and the ones that their routes lead to.
  std::set<std::string, std::less<>> hosts;
};

// What every workload of `documents` sees: route tables, backends with their policies and endpoints, services. Never
// fails: what cannot be resolved becomes a finding and the reply Envoy would give (404 NR, 503 NC).
// Ids are 0: agent::telemetry::IdentityTable gives them.
CompileResult compile(const Documents& documents, std::uint64_t generation);

}  // namespace config
