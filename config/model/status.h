#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"

// What the proxy tells of its backends: a line of /clusters and of `fairlead get endpoints`.
namespace config {

struct EndpointStatus {
  base::SocketAddress address;
  bool is_ejected = false;
  std::string ejection_reason;                          // consecutive_5xx, ...
  std::optional<std::chrono::milliseconds> returns_in;  // until the sweep that brings it back
  std::uint32_t times_ejected = 0;
  std::uint32_t active_requests = 0;
  std::uint64_t connections = 0;
  bool operator==(const EndpointStatus&) const = default;
};

struct BackendStatus {
  std::uint32_t pod = 0;
  std::string backend;                                                    // outbound|3000|v1|fqdn
  std::uint32_t connections = 0, pending = 0, requests = 0, retries = 0;  // in use
  std::uint64_t pending_overflow = 0, retry_overflow = 0, ejections_suppressed = 0;
  std::vector<EndpointStatus> endpoints;
  bool operator==(const BackendStatus&) const = default;
};

}  // namespace config
