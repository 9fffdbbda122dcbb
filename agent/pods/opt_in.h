#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/datapath/exclusions.h"
#include "config/model/node_config.h"

// Which pods are captured: pure.
namespace agent {

inline constexpr std::string_view kModeLabel = "fairlead.dev/mode";
inline constexpr std::string_view kExcludePorts = "fairlead.dev/exclude-ports";
inline constexpr std::string_view kExcludeCidrs = "fairlead.dev/exclude-cidrs";

// What decides about one pod, as the API server has it.
struct PodFacts {
  config::Labels namespace_labels;
  config::Labels labels;
  config::Labels annotations;
  std::vector<std::string> containers;  // names; init containers too
  bool has_host_network = false;
};

struct OptIn {
  std::string reason;       // why it is not captured; empty: it is
  bool is_mistake = false;  // nobody wants that: a label or an annotation cannot be understood
  Exclusions excluded;      // destinations that pass all the same

  [[nodiscard]] bool is_captured() const { return reason.empty(); }
};

// The pod's label decides, else its namespace's. A pod that another proxy serves, or that asked every mesh to stay away
// (istio.io/dataplane-mode: none), is not captured, and neither is one whose annotations cannot be read: capturing
// traffic that somebody meant to exclude is worse than not capturing it.
OptIn decide_opt_in(const PodFacts& pod);

}  // namespace agent
