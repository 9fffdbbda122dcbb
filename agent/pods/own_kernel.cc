#include "agent/pods/own_kernel.h"

#include <algorithm>

namespace agent {

bool has_own_kernel(std::span<const std::string> running, std::span<const std::string> cgroups,
                    const std::function<bool(const std::string& cgroup)>& has_processes) {
  const auto is_here = [&](const std::string& id) {
    return std::any_of(cgroups.begin(), cgroups.end(), [&](const std::string& cgroup) {
      return cgroup.find(id) != std::string::npos && has_processes(cgroup);
    });
  };
  return !running.empty() && std::none_of(running.begin(), running.end(), is_here);
}

}  // namespace agent
