#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/node_view.h"
#include "agent/pods/opt_in.h"

namespace agent {

// A pod of this node that has not ended.
struct LocalPod {
  std::string uid, name, name_space, ip;
  std::string static_hash;   // of a static pod: names its cgroup in the uid's place
  std::string workload;      // name
  std::size_t document = 0;  // of the workload, in Documents::workloads
  OptIn opt_in;
  std::string runtime_class;                    // empty: the node's usual runtime
  std::vector<std::string> running_containers;  // ids
};

// Which pods are where, and why those that are not captured are not: pure.
std::vector<Instance> find_pod_instances(std::span<const LocalPod> pods, std::span<const std::string> cgroups);

}  // namespace agent
