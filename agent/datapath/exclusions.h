#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/socket_address.h"

namespace agent {

struct PortRange {
  std::uint16_t first = 0, last = 0;
  bool operator==(const PortRange&) const = default;
};
struct Cidr {
  base::IpAddress address;  // bits after the prefix are 0
  std::uint8_t prefix = 0;  // of 128; an IPv4 prefix counts from 96
  bool operator==(const Cidr&) const = default;
};

// Destinations of a workload that pass although they would be redirected, as the application names them.
struct Exclusions {
  static constexpr std::size_t kMost = 16;  // of each kind: the kernel part has room for so many
  std::vector<PortRange> ports;
  std::vector<Cidr> cidrs;

  [[nodiscard]] bool empty() const { return ports.empty() && cidrs.empty(); }
  bool operator==(const Exclusions&) const = default;
};

}  // namespace agent
