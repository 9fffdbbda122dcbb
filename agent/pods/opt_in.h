#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

struct PortRange {
  std::uint16_t first = 0, last = 0;
  bool operator==(const PortRange&) const = default;
};
struct Cidr {
  base::IpAddress address;  // bits after the prefix are 0
  std::uint8_t prefix = 0;  // of 128; an IPv4 prefix counts from 96
  bool operator==(const Cidr&) const = default;
};

struct OptIn {
  std::string reason;  // why it is not captured; empty: it is
  // Destinations that pass all the same.
  std::vector<PortRange> excluded_ports;
  std::vector<Cidr> excluded_cidrs;

  [[nodiscard]] bool is_captured() const { return reason.empty(); }
};

// The pod's label decides, else its namespace's. A pod that another proxy serves, or that asked every mesh to stay away
// (istio.io/dataplane-mode: none), is not captured, and neither is one whose annotations cannot be read: capturing
// traffic that somebody meant to exclude is worse than not capturing it.
OptIn decide_opt_in(const PodFacts& pod);

}  // namespace agent
