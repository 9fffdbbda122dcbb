#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "config/model/node_config.h"
#include "config/model/policy.h"
#include "config/model/settings.h"

namespace config {

// Who writes the destination's rows (OBSERVABILITY 1). `automatic` leaves them out for destinations that report
// themselves; on a host there are none.
enum class DestinationReporter : std::uint8_t { automatic, always, never };

// meshConfig.defaultHttpRetryPolicy, and the `retries` block of a rule: nothing of it is resolved yet.
struct RetrySettings {
  std::uint32_t attempts = 0;  // 0: no retries at all
  std::uint32_t retry_on = 0;  // bits of RetryOn; 0: the profile's default list
  std::vector<std::uint16_t> retriable_status_codes;
  std::optional<Milliseconds> per_try_timeout;
  std::optional<bool> ignores_previous_hosts;
  std::optional<Milliseconds> backoff;
  bool operator==(const RetrySettings&) const = default;
};

// The document of kind Settings. Every field is explained in config/example.yaml, which a test compares with this.
struct Settings {
  Semantics semantics = Semantics::istio;
  std::uint32_t workers = 0;  // 0: one for each CPU the process may use
  base::SocketAddress admin_address = default_admin_address();
  std::string cluster_domain = "cluster.local";
  std::string root_namespace = "istio-system";
  UnknownHostPolicy unknown_hosts = UnknownHostPolicy::allow_any;
  std::optional<RetrySettings> default_retries;  // none: Istio's built-in policy
  DestinationReporter destination_reporter = DestinationReporter::automatic;
  std::vector<std::string> drop_labels;
  ProxySettings proxy;  // limits, access log, cluster name, server header

  static base::SocketAddress default_admin_address();
  bool operator==(const Settings&) const = default;
};

}  // namespace config
