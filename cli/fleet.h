#pragma once

#include <string>
#include <vector>

#include "cli/admin/node_view.h"

namespace cli {

// What the agent of one node says, or why it does not.
struct NodeReport {
  std::string node;                   // empty: this host, without a cluster
  std::string agent;                  // its pod
  std::string error;                  // empty: the rest is there
  std::string config_dump, clusters;  // pages as they came
  admin::NodeView view;
  std::vector<admin::BackendView> backends;  // what the proxy knows, by who calls
};

// All agents there are, sorted by node.
using Fleet = std::vector<NodeReport>;

}  // namespace cli
