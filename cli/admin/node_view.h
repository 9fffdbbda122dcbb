#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  std::uint64_t route_table = 0;  // index into NodeView::route_tables
};

// A pod of the node, or an instance on a host, of whichever workload.
struct PodView {
  std::string name_space, name, workload, ip;
  std::string state, reason;  // as InstanceView's
};

// Of one resource of the API server.
struct WatchView {
  std::string resource;
  bool is_synced = false;
  std::string error;
  std::optional<std::chrono::milliseconds> age;  // what is known is as of so long ago; none: nothing is known yet
};

struct PortView {
  std::uint16_t number = 0;
  std::string name, protocol;
};

struct ServiceView {
  std::string host, name, name_space;
  std::vector<std::string> vips;
  std::vector<PortView> ports;
};

// "header x-user", "exact", "jane"
struct ConditionView {
  std::string on, how, value;
  bool ignores_case = false, is_inverted = false;
};

struct RouteView {
  std::vector<ConditionView> conditions;  // all of them; none: every request
  struct Destination {
    std::optional<std::uint64_t> backend;  // index into NodeView::backends; none: there is no such host or subset
    std::uint64_t weight = 0;
  };
  std::vector<Destination> destinations;
  std::optional<std::uint64_t> direct_response;  // status
  std::optional<std::chrono::milliseconds> timeout;
  std::uint64_t retries = 0;
  std::optional<std::chrono::milliseconds> per_try_timeout;
  std::vector<std::string> retry_on;
  std::vector<std::uint64_t> retry_status_codes;
  struct Fault {
    std::uint64_t per_million = 0;  // 0: none
    std::uint64_t value = 0;        // milliseconds, or status
  };
  Fault delay, abort;
  std::string from;  // file, line and object; empty: no document, the service alone
};

struct VirtualHostView {
  std::uint16_t port = 0;
  std::string name;  // host:port
  std::vector<RouteView> routes;
};

// What one kind of callers is offered.
struct RouteTableView {
  std::vector<VirtualHostView> virtual_hosts;
};

// The policy that holds for one destination.
struct BackendPolicyView {
  std::string host, subset;
  std::uint16_t port = 0;
  std::string load_balancer;
  std::vector<std::pair<std::string, std::uint64_t>> limits;  // only those that are set
  struct Outlier {
    std::uint64_t consecutive_5xx = 0, consecutive_gateway = 0;  // 0: not looked at
    std::chrono::milliseconds interval{0}, base_ejection_time{0};
    std::uint64_t max_ejection_percent = 0;
  };
  std::optional<Outlier> outlier;
  std::vector<std::string> endpoints;  // addresses
  std::string from;
};

struct NodeView {
  std::string version, kernel;
  std::uint64_t generation = 0;        // of the documents
  std::uint64_t proxy_generation = 0;  // what the proxy enforces
  bool is_proxy_up = false;
  std::string proxy_version;  // empty: the agent does not say
  std::uint64_t proxy_restarts = 0;
  std::string semantics;
  std::vector<WatchView> watches;  // empty on a host
  std::vector<PodView> pods;
  std::vector<WorkloadView> workloads;
  std::vector<ServiceView> services;
  std::vector<PolicyView> policies;
  std::vector<RouteTableView> route_tables;
  std::vector<BackendPolicyView> backends;
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
