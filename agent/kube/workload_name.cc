#include "agent/kube/workload_name.h"

#include <algorithm>
#include <array>

namespace agent::kube {
namespace {

// "<name>-<minutes since 1970>", as the CronJob controller names Jobs.
std::string cron_job_of(const std::string& job) {
  const std::size_t dash = job.rfind('-');
  if (dash == std::string::npos || dash == 0) return {};
  const std::string_view digits = std::string_view(job).substr(dash + 1);
  const bool is_time = digits.size() >= 8 && digits.size() <= 10 &&
                       std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_time ? job.substr(0, dash) : std::string();
}

}  // namespace

std::string workload_name(const ObjectMeta& pod) {
  const auto owner =
      std::find_if(pod.owners.begin(), pod.owners.end(), [](const OwnerReference& each) { return each.is_controller; });
  // The owner of a static pod's mirror is its node.
  if (owner == pod.owners.end() || owner->kind == "Node") return pod.name;
  if (owner->kind == "ReplicaSet") {
    const auto hash = pod.labels.find("pod-template-hash");
    if (hash != pod.labels.end() && owner->name.size() > hash->second.size() + 1 &&
        owner->name.ends_with("-" + hash->second)) {
      return owner->name.substr(0, owner->name.size() - hash->second.size() - 1);
    }
  }
  if (owner->kind == "Job") {
    if (std::string name = cron_job_of(owner->name); !name.empty()) return name;
  }
  return owner->name;
}

Labels workload_labels(const Labels& pod) {
  static constexpr std::array<std::string_view, 10> kOfOnePod = {"pod-template-hash",
                                                                 "controller-revision-hash",
                                                                 "pod-template-generation",
                                                                 "statefulset.kubernetes.io/pod-name",
                                                                 "apps.kubernetes.io/pod-index",
                                                                 "batch.kubernetes.io/controller-uid",
                                                                 "batch.kubernetes.io/job-name",
                                                                 "batch.kubernetes.io/job-completion-index",
                                                                 "controller-uid",
                                                                 "job-name"};
  Labels labels = pod;
  for (const std::string_view name : kOfOnePod) {
    if (const auto found = labels.find(name); found != labels.end()) labels.erase(found);
  }
  return labels;
}

}  // namespace agent::kube
