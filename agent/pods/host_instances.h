#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/documents.h"

// Which cgroups of a host are instances of which workloads: pure.
namespace agent {

struct HostInstance {
  std::string workload, name_space;
  std::string name;    // unique within the workload
  std::string cgroup;  // from the mount: "/system.slice/web.service"
  std::string reason;  // why it is not redirected; empty: nothing against it
};

// Where `fairlead exec` and the demo put programs: <folder>/<namespace>.<workload>/<instance>, without a selector that
// says so.
inline constexpr std::string_view kExecFolder = "/fairlead/workloads";

// By the first document, and the first of its selectors, that selects a cgroup. A cgroup within one that is selected
// belongs to it; when another workload claims it all the same, the answer says so.
std::vector<HostInstance> find_host_instances(const std::vector<config::WorkloadDocument>& workloads,
                                              std::span<const std::string> cgroups);

}  // namespace agent
