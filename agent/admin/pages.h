#pragma once

#include <string>

#include "agent/admin/snapshot.h"
#include "agent/telemetry/node_state.h"

// What the admin endpoint says: pure, from one snapshot.
namespace agent::admin {

// Everything that is in force and what is wrong with it, as JSON: watches, pods, workloads with their instances,
// services, policies with their findings, routes and backends. The command line reads it (cli/admin/node_view.h).
std::string config_dump(const Snapshot& snapshot);

// The endpoints that the proxy knows, by who calls them: ejected by which rule and until when, limits in use.
std::string clusters_json(const Snapshot& snapshot);
// As lines in Envoy's form, cluster::address::fact::value.
std::string clusters_text(const Snapshot& snapshot);

// Empty when connections are served; else a line for each thing that is missing.
std::string not_ready(const Snapshot& snapshot);

// The facts of /metrics that are not traffic (OBSERVABILITY 4).
telemetry::NodeState node_state(const Snapshot& snapshot);

}  // namespace agent::admin
