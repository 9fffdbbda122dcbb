#pragma once

#include <cstdint>
#include <vector>

#include "config/documents.h"
#include "config/finding.h"
#include "config/model/node_config.h"

namespace config {

struct CompileResult {
  NodeConfig config;
  std::vector<Finding> findings;  // what is wrong between documents: unknown hosts, conflicts, rules nobody reaches
};

// What every workload of `documents` sees: route tables, backends with their policies and endpoints, services. Never
// fails: what cannot be resolved becomes a finding and the reply Envoy would give (404 NR, 503 NC).
// Ids are 0: agent::telemetry::IdentityTable gives them.
CompileResult compile(const Documents& documents, std::uint64_t generation);

}  // namespace config
