#pragma once

#include <optional>
#include <string>
#include <string_view>

// How kubelet and the container runtimes name the cgroups of pods: pure.
namespace agent {

struct PodCgroup {
  std::string uid;   // of the pod, with dashes; of a static pod the hash of its file, as in its mirror's annotation
  std::string path;  // of the pod's own folder; the containers' are below it
};

// The pod that a cgroup is or belongs to; nullopt for any other. Knows the cgroupfs driver (.../pod<UID>) and the
// systemd driver (...-pod<UID with _ for ->.slice), whatever is above: all QoS classes, kubelets within a slice or a
// container of their own.
std::optional<PodCgroup> pod_cgroup(std::string_view cgroup);

}  // namespace agent
