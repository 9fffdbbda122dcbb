#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace agent {

// Whether the containers of a pod run on a kernel of their own, as with gVisor and Kata: connections that processes
// make there are no connect() of the node's kernel. Such a pod is known by what it lacks: containers that kubelet says
// are running (`running`: their ids), with no process in a cgroup of theirs. `cgroups` are those below the pod's. Pure.
// What kubelet says is of a second ago: of a container that has just ended the answer is true as well.
bool has_own_kernel(std::span<const std::string> running, std::span<const std::string> cgroups,
                    const std::function<bool(const std::string& cgroup)>& has_processes);

}  // namespace agent
