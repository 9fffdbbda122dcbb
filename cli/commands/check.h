#pragma once

#include "cli/check/host_facts.h"
#include "cli/cluster/node_check.h"
#include "cli/source.h"
#include "cli/terminal.h"

namespace cli {

struct CheckOptions {
  check::HostPlaces places;
  OutputFormat format = OutputFormat::table;
};

// Prints one line for each thing the redirected mode needs, and what to do where it is missing.
int run_check(const CheckOptions& options, const Terminal& terminal);

struct ClusterCheckOptions {
  cluster::Options cluster;
  cluster::NodeCheckOptions nodes;
  bool skips_nodes = false;
  OutputFormat format = OutputFormat::table;
};

// The same of a cluster, before Fairlead is installed: what its user may do, what is there, and of each node what it
// needs, as a short Job there finds it.
int run_cluster_check(const ClusterCheckOptions& options, const Terminal& terminal);

}  // namespace cli
