#pragma once

#include <cstdint>
#include <string>

#include "config/model/policy.h"

namespace config {

enum class Semantics : std::uint8_t { istio, legacy };
enum class AccessLogFormat : std::uint8_t { off, text, json };

// The part of the settings document that the proxy needs. Every field is explained in config/example.yaml.
struct ProxySettings {
  AccessLogFormat access_log_format = AccessLogFormat::off;
  std::string access_log_path = "/dev/stdout";
  Milliseconds access_log_flush_interval{1000};
  std::uint32_t max_request_head_bytes = 60 * 1024;
  std::uint32_t max_response_head_bytes = 80 * 1024;
  std::uint32_t max_headers = 100;
  std::uint32_t retry_buffer_bytes = 1024 * 1024;
  std::uint64_t pod_buffer_bytes = 64ULL * 1024 * 1024;
  std::uint64_t node_buffer_bytes = 512ULL * 1024 * 1024;  // half of the DaemonSet's memory limit for the proxy
  std::uint32_t stream_buffer_bytes = 64 * 1024;           // high-water mark of one direction
  Milliseconds downstream_idle_timeout{3'600'000};
  Milliseconds request_headers_timeout{60'000};  // from the first byte of a head to its end
  Milliseconds delayed_close{1000};
  std::uint32_t max_connections_per_pod = 16384;
  std::string server_header = "envoy";
  bool reports_destination = true;  // telemetry.destinationReporter
  std::uint32_t max_series = 5000;
  bool counts_tcp = true;  // telemetry.tcp
  std::string cluster_name = "Kubernetes";
  bool operator==(const ProxySettings&) const = default;
};

}  // namespace config
