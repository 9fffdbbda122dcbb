#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "config/model/policy.h"
#include "config/model/settings.h"

// What the agent compiles from all documents and the proxy enforces: one generation, immutable, self-contained.
// Cross references are indices into the vectors of the same NodeConfig.
namespace config {

using Labels = std::map<std::string, std::string, std::less<>>;

// Everything a metric label may say about one end of a request (OBSERVABILITY 2). `id` is given by the agent and
// stands for these strings in shared memory; an agent never reuses an id for other strings.
struct WorkloadIdentity {
  std::uint32_t id = 0;  // 0: unknown
  std::string workload = "unknown";
  std::string workload_namespace = "unknown";
  std::string app = "unknown";
  std::string version = "unknown";
  std::string canonical_service = "unknown";
  std::string canonical_revision = "latest";
  bool operator==(const WorkloadIdentity&) const = default;
};

struct Endpoint {
  base::SocketAddress address;
  std::uint32_t weight = 1;
  WorkloadIdentity identity;
  bool operator==(const Endpoint&) const = default;
};

enum class Protocol : std::uint8_t { http, tcp };

struct ServicePort {
  std::uint16_t number = 0;
  std::string name;
  Protocol protocol = Protocol::http;
  bool operator==(const ServicePort&) const = default;
};

struct Service {
  std::uint32_t id = 0;  // as WorkloadIdentity::id
  std::string host;      // greeter-service.default.svc.cluster.local
  std::string name;      // greeter-service
  std::string name_space;
  std::string app = "unknown";  // label `app` when all endpoints share it: destination_app where no endpoint was chosen
  std::vector<base::IpAddress> vips;  // of a headless one: its endpoints', if it has a policy
  std::vector<ServicePort> ports;
  bool is_headless = false;  // who dials one of its addresses means that endpoint and no other
  bool operator==(const Service&) const = default;
};

// What a route selects: a service port and subset with its endpoints, and the policy the source sees.
struct Backend {
  std::string name;  // Envoy's form: outbound|3000|v1|greeter-service.default.svc.cluster.local
  std::uint32_t service = 0;
  std::uint16_t port = 0;
  std::string subset;
  std::vector<Endpoint> endpoints;
  BackendPolicy policy;
  std::string origin;  // as Route::origin, of the DestinationRules; empty: there is none. For the agent's pages alone
  bool operator==(const Backend&) const = default;
};

struct Destination {
  static constexpr std::uint32_t kUnknownBackend = 0xffffffff;  // host or subset that does not exist: 503 NC
  std::uint32_t backend = kUnknownBackend;
  std::uint32_t weight = 1;
  bool operator==(const Destination&) const = default;
};

struct DirectResponse {
  std::uint16_t status = 0;
  std::string body;
  bool operator==(const DirectResponse&) const = default;
};

struct Route {
  std::string name;  // %ROUTE_NAME%: the rule's name, empty (logged as none) if it has none; "default" without any rule
  RouteMatch match;
  std::vector<Destination> destinations;  // at least one unless `direct_response`
  std::uint32_t total_weight = 1;         // sum of the destinations' weights, at least 1
  std::optional<DirectResponse> direct_response;
  std::optional<Milliseconds> timeout;  // none: no limit
  RetryPolicy retry;
  FaultPolicy fault;
  std::string decorator_operation;  // <fqdn>:<port>/<path match>*
  std::string origin;               // "policies/greeter.yaml:12 VirtualService default/greeter-service http[0]"
  bool operator==(const Route&) const = default;
};

struct VirtualHost {
  std::string name;
  std::vector<std::string> domains;  // lower case, without port: "a.b", "*.b", "*"
  std::vector<Route> routes;         // first match wins; none matches: 404 NR
  bool operator==(const VirtualHost&) const = default;
};

enum class UnknownHostPolicy : std::uint8_t { allow_any, registry_only };

// The virtual hosts of one destination port, as Envoy's RDS has them.
struct PortRoutes {
  std::uint16_t port = 0;
  std::vector<VirtualHost> virtual_hosts;
  bool operator==(const PortRoutes&) const = default;
};

// What the sources with the same view (namespace and matching labels) share.
struct RouteTable {
  std::vector<PortRoutes> ports;
  UnknownHostPolicy unknown_hosts = UnknownHostPolicy::allow_any;
  bool operator==(const RouteTable&) const = default;
};

// A source of requests. On a host: one Workload document; in a cluster: one workload of this node.
struct Workload {
  WorkloadIdentity identity;
  std::string name;
  std::string name_space;
  Labels labels;
  std::uint32_t route_table = 0;
  bool operator==(const Workload&) const = default;
};

struct NodeConfig {
  std::uint64_t generation = 0;
  ProxySettings settings;
  std::vector<Service> services;
  std::vector<Backend> backends;
  std::vector<RouteTable> route_tables;
  std::vector<Workload> workloads;
  // There are more services than these: one that a connection goes to is added when the agent hears of it.
  bool has_services_on_demand = false;
  bool operator==(const NodeConfig&) const = default;
};

// One running instance of a workload: a pod, or on a host one cgroup. `cgroup_id` is what the kernel part reports.
struct Pod {
  std::uint32_t id = 0;  // as WorkloadIdentity::id; the key of limits, pools and the rows per pod
  std::uint64_t cgroup_id = 0;
  std::string name;
  std::string name_space;
  std::uint32_t workload = 0;    // index into NodeConfig::workloads
  bool has_own_network = false;  // connections on its behalf use sockets of its network namespace
  bool operator==(const Pod&) const = default;
};

}  // namespace config
