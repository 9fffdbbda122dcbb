#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// What the admin endpoint says of a node, as far as the command line shows it. Members that an answer lacks keep their
// defaults; members that it has besides are not looked at, so that agent and command line may differ in version.
namespace cli::admin {

struct PolicyFinding {
  std::string severity;  // error, warning, info
  std::string code;
  std::string file;
  std::uint64_t line = 0, column = 0;
  std::string path;
  std::string message;
};

struct PolicyView {
  std::string kind, name_space, name;
  std::string file;
  std::string state;        // active, partial, rejected, inactive
  bool is_in_force = true;  // rejected and true: an earlier version still applies
  std::vector<PolicyFinding> findings;
};

struct InstanceView {
  std::string name;    // the last part of its cgroup, or the listener
  std::string cgroup;  // below the cgroup2 mount
  std::string state;   // redirected, skipped, pending, error
  std::string reason;  // why not redirected
};

struct WorkloadView {
  std::string name_space, name;
  std::vector<InstanceView> instances;
};

struct ServiceView {
  std::string host, name, name_space;
  std::vector<std::string> vips;
  std::vector<std::uint16_t> ports;
};

struct NodeView {
  std::uint64_t generation = 0;        // of the documents
  std::uint64_t proxy_generation = 0;  // what the proxy enforces
  bool is_proxy_up = false;
  std::uint64_t proxy_restarts = 0;
  std::string semantics;
  std::vector<WorkloadView> workloads;
  std::vector<ServiceView> services;
  std::vector<PolicyView> policies;
};

// Reads /config_dump.
base::Result<NodeView> parse_node(std::string_view json);

struct EndpointView {
  std::string address{};
  bool is_ejected = false;
  std::string ejection_rule{};
  std::optional<std::chrono::milliseconds> returns_in{};
  std::uint64_t times_ejected = 0;
  std::uint64_t active_requests = 0;
  std::uint64_t connections = 0;
};

struct BackendView {
  std::string name;    // outbound|3000|v1|greeter-service.default.svc.cluster.local
  std::string source;  // who calls: workload or instance
  std::vector<EndpointView> endpoints;
};

// Reads /clusters?format=json.
base::Result<std::vector<BackendView>> parse_backends(std::string_view json);

}  // namespace cli::admin
