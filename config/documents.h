#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/finding.h"
#include "config/model/node_config.h"
#include "config/model/policy.h"
#include "config/settings.h"
#include "config/shared_list.h"

// The documents an operator writes, as read: host names are expanded and lower-cased, values are checked, nothing is
// resolved against other documents yet (compile.h does that).
namespace config {

struct DocumentId {
  std::string kind;
  std::string name_space;
  std::string name;
  [[nodiscard]] std::string to_string() const;  // "VirtualService default/greeter-service"
  auto operator<=>(const DocumentId&) const = default;
};

struct Origin {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string path;  // within the document
};

// "policies/greeter.yaml:12 VirtualService default/greeter-service http[0]"; without file and line for an object of a
// cluster.
std::string describe(const Origin& origin, const DocumentId& document);

struct Metadata {
  std::string name;
  std::string name_space;
  Labels labels;
  Labels annotations;
  std::string creation_timestamp;  // RFC 3339 in UTC, as the API server writes it; empty in a user's file
  Origin origin;
};

// Route destinations ------------------------------------------------------------------------------------------------

struct RouteDestination {
  std::string host;
  std::string subset;
  std::uint16_t port = 0;  // 0: not given
  std::uint32_t weight = 0;
  Origin origin;
};

struct HttpMatch {
  std::string name;
  RouteMatch match;
  std::uint16_t port = 0;  // 0: any
  Labels source_labels;
  std::string source_namespace;
  std::vector<std::string> gateways;  // expanded to namespace/name, except "mesh"
};

struct HttpRule {
  std::string name;
  std::vector<HttpMatch> matches;
  std::vector<RouteDestination> destinations;
  std::optional<DirectResponse> direct_response;
  bool is_redirect = false;  // not enforced: the rule is left out
  std::optional<Milliseconds> timeout;
  std::optional<RetrySettings> retries;
  FaultPolicy fault;
  Origin origin;
};

struct VirtualService {
  Metadata metadata;
  std::vector<std::string> hosts;     // none: a delegate, without effect
  std::vector<std::string> gateways;  // as HttpMatch::gateways; never empty
  std::vector<std::string> export_to;
  std::vector<HttpRule> http;
};

// Destination policies ----------------------------------------------------------------------------------------------

struct OutlierSettings {
  OutlierPolicy policy;
  bool sets_consecutive_5xx = false;
  bool sets_consecutive_gateway = false;
  std::uint32_t consecutive_errors = 0;  // the deprecated field; means something in the legacy profile only
  Origin origin;
};

// One block of a DestinationRule. A block that is there replaces the inherited one as a whole.
struct TrafficPolicy {
  std::optional<LoadBalancer> load_balancer;
  std::optional<ConnectionPoolPolicy> connection_pool;
  std::optional<OutlierSettings> outlier;
  std::optional<RetryBudgetPolicy> retry_budget;
  std::map<std::uint16_t, TrafficPolicy> ports;  // portLevelSettings
};

struct Subset {
  std::string name;
  Labels labels;
  std::optional<TrafficPolicy> policy;
  Origin origin;
};

struct DestinationRule {
  Metadata metadata;
  std::string host;
  std::vector<std::string> export_to;
  std::optional<Labels> workload_selector;
  std::optional<TrafficPolicy> policy;
  std::vector<Subset> subsets;
};

// Services ----------------------------------------------------------------------------------------------------------

// A port of a service. What the protocol's name says is decided here once for every source of services.
struct PortDeclaration {
  std::uint16_t number = 0;
  std::string name;
  Protocol protocol = Protocol::http;
  std::uint16_t target_port = 0;  // 0: number
};

struct EndpointDeclaration {
  base::IpAddress address;
  std::map<std::string, std::uint16_t, std::less<>> ports;  // by port name
  Labels labels;
  std::string pod;       // name of the pod, where one is known
  std::string workload;  // that the pod belongs to, where it is known
  std::uint32_t weight = 1;
};

struct ServiceEntry {
  Metadata metadata;
  std::vector<std::string> hosts;
  std::vector<base::IpAddress> addresses;
  std::vector<PortDeclaration> ports;
  std::vector<EndpointDeclaration> endpoints;
  std::vector<std::string> export_to;
  bool is_static = true;  // no other resolution is enforced
};

struct KubernetesService {
  Metadata metadata;
  std::vector<base::IpAddress> cluster_ips;
  std::vector<PortDeclaration> ports;
  std::vector<std::string> export_to;  // annotation networking.istio.io/exportTo
  Labels selector;                     // which all its endpoints have
  bool is_headless = false;
};

struct EndpointSlice {
  Metadata metadata;
  std::string service;  // label kubernetes.io/service-name
  std::map<std::string, std::uint16_t, std::less<>> ports;
  std::vector<EndpointDeclaration> endpoints;  // only those that are ready
};

// Workloads of a host -----------------------------------------------------------------------------------------------

struct WorkloadSelector {
  enum class Kind : std::uint8_t { cgroup, systemd_unit, systemd_slice };
  Kind kind = Kind::cgroup;
  std::string pattern;  // a glob: * and ? within one path segment, ** over any number of them
};

struct WorkloadDocument {
  Metadata metadata;
  std::vector<WorkloadSelector> selectors;
};

// The cgroup that `selector` names on the way to `cgroup_path` ("/system.slice/web.service/nested"): the prefix of the
// path that ends with it; nullopt when it is not on the way. A cgroup below a selected one belongs to it.
std::optional<std::string_view> selected_cgroup(const WorkloadSelector& selector, std::string_view cgroup_path);

// A workload that no document declares, for `--as NAME.NAMESPACE`: labels {app: NAME}, no selectors.
WorkloadDocument undeclared_workload(std::string_view name, std::string_view name_space);

// All of them -------------------------------------------------------------------------------------------------------

using DocumentBody = std::variant<VirtualService, DestinationRule, ServiceEntry, KubernetesService, EndpointSlice,
                                  WorkloadDocument, Settings>;

// In the order of the files and of the documents in them: the first is the oldest.
struct Documents {
  SharedList<VirtualService> virtual_services;
  SharedList<DestinationRule> destination_rules;
  SharedList<ServiceEntry> service_entries;
  SharedList<KubernetesService> services;
  SharedList<EndpointSlice> endpoint_slices;
  std::vector<WorkloadDocument> workloads;
  Settings settings;  // the defaults when there is no such document

  // In a cluster: hosts of the Kubernetes Services that some workload of this node calls. Of the others only the
  // addresses are compiled, and their EndpointSlices need not be here. None: all are in use.
  std::optional<std::set<std::string, std::less<>>> services_in_use;

  void add(const std::shared_ptr<const DocumentBody>& body);
  [[nodiscard]] const WorkloadDocument* find_workload(std::string_view name, std::string_view name_space) const;
};

struct SourceFile {
  std::string name;  // as shown in messages
  std::string text = {};
  std::string problem = {};  // why it could not be read; empty: it was
};

struct LoadResult {
  Documents documents;
  std::vector<Finding> findings;  // errors first in their file's order, then the rest

  [[nodiscard]] bool has_errors() const;
};

// Reads every document of `files`; a bad one is left out and reported.
LoadResult load_documents(std::span<const SourceFile> files);

}  // namespace config
