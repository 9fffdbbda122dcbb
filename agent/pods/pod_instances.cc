#include "agent/pods/pod_instances.h"

#include <map>

#include "agent/pods/pod_cgroup.h"

namespace agent {

std::vector<Instance> find_pod_instances(std::span<const LocalPod> pods, std::span<const std::string> cgroups) {
  std::map<std::string, std::string> folders;  // by uid
  for (const std::string& cgroup : cgroups) {
    if (auto pod = pod_cgroup(cgroup)) folders.emplace(std::move(pod->uid), std::move(pod->path));
  }
  std::vector<Instance> instances;
  for (const LocalPod& pod : pods) {
    Instance& instance = instances.emplace_back();
    instance.uid = pod.uid;
    instance.pod.name = pod.name;
    instance.pod.name_space = pod.name_space;
    instance.pod.workload = static_cast<std::uint32_t>(pod.document);
    instance.pod.has_own_network = true;
    instance.workload = pod.workload;
    instance.ip = pod.ip;
    instance.excluded = pod.opt_in.excluded;
    instance.runtime_class = pod.runtime_class;
    instance.running_containers = pod.running_containers;
    const auto folder = folders.find(pod.static_hash.empty() ? pod.uid : pod.static_hash);
    if (folder != folders.end()) instance.cgroup = folder->second;
    if (!pod.opt_in.is_captured()) {
      instance.state = InstanceState::skipped;
      instance.reason = pod.opt_in.reason;
      instance.is_unwanted = pod.opt_in.is_mistake;
    } else if (instance.cgroup.empty()) {
      instance.reason = "its cgroup is not there yet";
    }
  }
  return instances;
}

}  // namespace agent
