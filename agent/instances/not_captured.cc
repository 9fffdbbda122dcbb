#include "agent/instances/not_captured.h"

#include <utility>

namespace agent {

std::vector<kube::Event> NotCaptured::find(std::span<const Instance> instances, base::TimePoint now,
                                           base::WallTime time) {
  std::vector<kube::Event> events;
  std::map<std::string, Problem> problems;
  for (const Instance& instance : instances) {
    const bool is_problem = instance.state == InstanceState::error || instance.is_unwanted;
    if (instance.uid.empty() || !is_problem) continue;
    Problem problem{.reason = instance.reason, .since = now};
    const auto known = problems_.find(instance.uid);
    if (known != problems_.end() && known->second.reason == instance.reason) problem = std::move(known->second);
    if (now - problem.since >= kPatience && !std::exchange(problem.is_told, true)) {
      events.push_back(event(instance, time));
    }
    problems.insert_or_assign(instance.uid, std::move(problem));
  }
  problems_ = std::move(problems);
  return events;
}

kube::Event NotCaptured::event(const Instance& instance, base::WallTime time) const {
  return {.api_version = "v1",
          .kind = "Pod",
          .name_space = instance.pod.name_space,
          .name = instance.pod.name,
          .uid = instance.uid,
          .is_warning = true,
          .reason = "NotCaptured",
          .action = "Capture",
          .message = "Fairlead does not capture its connections: " + instance.reason,
          .node = node_,
          .time = time};
}

}  // namespace agent
