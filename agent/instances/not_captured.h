#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "agent/kube/objects.h"
#include "agent/node_view.h"
#include "base/clock.h"

namespace agent {

// What is said at pods that somebody wants captured and that cannot be, once for each reason. What their owners have
// chosen (a label, hostNetwork, a sidecar) is nobody's problem. Pure.
class NotCaptured {
 public:
  // A pod that comes or goes is in trouble for a moment.
  static constexpr std::chrono::seconds kPatience{3};

  explicit NotCaptured(std::string node) : node_(std::move(node)) {}

  // To be called now and then, with all there are; what stands for kPatience is then said.
  std::vector<kube::Event> find(std::span<const Instance> instances, base::TimePoint now, base::WallTime time);

 private:
  struct Problem {
    std::string reason;
    base::TimePoint since;
    bool is_told = false;
  };
  [[nodiscard]] kube::Event event(const Instance& instance, base::WallTime time) const;

  std::string node_;
  std::map<std::string, Problem> problems_;  // by the pod's uid
};

}  // namespace agent
