#include "agent/pods/host_instances.h"

#include <algorithm>
#include <map>
#include <optional>

namespace agent {
namespace {

std::string last_segment(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string without_slashes(std::string path) {
  path.erase(0, 1);
  std::replace(path.begin(), path.end(), '/', ':');
  return path;
}

// The part of `cgroup` that `fairlead exec` made for this workload.
std::optional<std::string_view> exec_cgroup(const config::Metadata& workload, std::string_view cgroup) {
  const std::string folder = std::string(kExecFolder) + "/" + workload.name_space + "." + workload.name + "/";
  if (!cgroup.starts_with(folder) || cgroup.size() == folder.size()) return std::nullopt;
  return cgroup.substr(0, std::min(cgroup.find('/', folder.size()), cgroup.size()));
}

std::optional<std::string_view> selected_by(const config::WorkloadDocument& workload, std::string_view cgroup) {
  for (const config::WorkloadSelector& selector : workload.selectors) {
    if (const auto selected = config::selected_cgroup(selector, cgroup)) return selected;
  }
  return exec_cgroup(workload.metadata, cgroup);
}

// The selected cgroup that this one is, or is in.
const HostInstance* covering(const std::map<std::string, HostInstance, std::less<>>& instances, std::string path) {
  for (;;) {
    const auto found = instances.find(path);
    if (found != instances.end() && found->second.reason.empty()) return &found->second;
    const auto slash = path.rfind('/');
    if (slash == 0 || slash == std::string::npos) return nullptr;
    path.resize(slash);
  }
}

}  // namespace

std::vector<HostInstance> find_host_instances(const std::vector<config::WorkloadDocument>& workloads,
                                              std::span<const std::string> cgroups) {
  std::map<std::string, HostInstance, std::less<>> instances;  // by cgroup
  std::map<std::string, int, std::less<>> names;               // how many instances have this name
  for (const config::WorkloadDocument& workload : workloads) {
    for (const std::string& cgroup : cgroups) {
      const auto selected = selected_by(workload, cgroup);
      if (!selected || instances.contains(*selected)) continue;
      HostInstance instance{.workload = workload.metadata.name,
                            .name_space = workload.metadata.name_space,
                            .name = {},
                            .cgroup = std::string(*selected),
                            .reason = {}};
      instance.name = last_segment(instance.cgroup);
      if (const HostInstance* outer = covering(instances, instance.cgroup)) {
        if (outer->workload == instance.workload && outer->name_space == instance.name_space) continue;
        instance.reason = "is within " + outer->cgroup + ", which is " + outer->workload + "." + outer->name_space +
                          "; make the selectors of one of them narrower";
      }
      ++names[instance.name_space + "/" + instance.workload + "/" + instance.name];
      instances.emplace(instance.cgroup, std::move(instance));
    }
  }
  std::vector<HostInstance> all;
  for (auto& [cgroup, instance] : instances) {
    if (names[instance.name_space + "/" + instance.workload + "/" + instance.name] > 1) {
      instance.name = without_slashes(instance.cgroup);
    }
    all.push_back(std::move(instance));
  }
  return all;
}

}  // namespace agent
