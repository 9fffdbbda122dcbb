#include "config/istio/services.h"

#include <set>

namespace config::istio {
namespace {

constexpr Field kServiceEntryPort[] = {
    {.name = "number", .type = Type::integer, .min = 1, .max = kMaxPort, .is_required = true},
    {.name = "protocol"},
    {.name = "name", .is_required = true},
    {.name = "targetPort", .type = Type::integer, .min = 1, .max = kMaxPort},
};
constexpr Field kWorkloadEntry[] = {
    {.name = "address", .is_required = true},
    {.name = "ports", .type = Type::integer_map, .min = 1, .max = kMaxPort},
    {.name = "labels", .type = Type::text_map},
    {.name = "network", .support = Support::not_enforced, .note = "all endpoints are on one network"},
    {.name = "locality", .support = Support::not_enforced, .note = "all endpoints count as one locality"},
    {.name = "weight", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "serviceAccount"},
};
constexpr Field kLabelSelector[] = {{.name = "labels", .type = Type::text_map}};
constexpr std::string_view kLocations[] = {"MESH_EXTERNAL", "MESH_INTERNAL"};
constexpr std::string_view kResolutions[] = {"NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"};
constexpr Field kServiceEntry[] = {
    {.name = "hosts", .type = Type::text_list, .is_required = true},
    {.name = "addresses", .type = Type::text_list},
    {.name = "ports", .type = Type::object_list, .fields = kServiceEntryPort},
    {.name = "location", .type = Type::word, .words = kLocations},
    {.name = "resolution", .type = Type::word, .words = kResolutions},
    {.name = "endpoints", .type = Type::object_list, .fields = kWorkloadEntry},
    {.name = "workloadSelector",
     .type = Type::object,
     .fields = kLabelSelector,
     .support = Support::not_enforced,
     .note = "list the endpoints"},
    {.name = "exportTo", .type = Type::text_list},
    {.name = "subjectAltNames",
     .type = Type::text_list,
     .support = Support::not_enforced,
     .note = "no certificate is looked at"},
};

// Whether `text` is Istio's spelling of a protocol.
bool is_protocol(std::string_view text) {
  static constexpr std::string_view kProtocols[] = {"http", "https", "http2", "grpc",  "grpc-web", "tcp",
                                                    "tls",  "mongo", "mysql", "redis", "udp",      "hbone"};
  const std::string lowered = lower(text);
  for (const std::string_view known : kProtocols) {
    if (lowered == known) return true;
  }
  return false;
}

PortDeclaration declare_port(const Node& node, const Node& protocol, std::int64_t number, Report& report) {
  PortDeclaration port;
  port.number = static_cast<std::uint16_t>(number);
  port.name = node["name"].text();
  const ProtocolChoice choice = choose_protocol(protocol.text(), port.name, port.number);
  port.protocol = choice.protocol;
  if (choice.is_http2) {
    report.warn(kNotEnforced, protocol ? protocol : node,
                "HTTP/2 and gRPC are not enforced by this version of Fairlead: connections to this port pass as TCP");
  }
  return port;
}

std::vector<PortDeclaration> read_service_entry_ports(const Node& node, Report& report) {
  std::vector<PortDeclaration> ports;
  std::set<std::string> names;
  std::set<std::int64_t> numbers;
  for (const Node& item : node.items()) {
    const Node protocol = item["protocol"];
    if (protocol && !protocol.text().empty() && !is_protocol(protocol.text())) {
      report.error(protocol, quoted(protocol.text()) +
                                 " is not a protocol; write HTTP, HTTPS, HTTP2, GRPC, GRPC-Web, TCP, TLS, MONGO, "
                                 "MYSQL, REDIS or UDP");
    }
    if (!is_dns_label(item["name"].text())) {
      report.error(item["name"],
                   quoted(item["name"].text()) + " is not a port name: letters, digits and inner hyphens");
    }
    if (!names.insert(item["name"].text()).second) {
      report.error(item["name"], "the port name " + quoted(item["name"].text()) + " is there twice");
    }
    if (!numbers.insert(item["number"].integer()).second) {
      report.error(item["number"], "the port " + item["number"].text() + " is there twice");
    }
    PortDeclaration port = declare_port(item, protocol, item["number"].integer(), report);
    // The name of a ServiceEntry's port says nothing about its protocol.
    if (protocol.text().empty()) port.protocol = choose_protocol("", "", port.number).protocol;
    port.target_port = static_cast<std::uint16_t>(item["targetPort"].integer());
    ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<EndpointDeclaration> read_workload_entries(const Node& node, const std::vector<PortDeclaration>& ports,
                                                       Report& report) {
  std::vector<EndpointDeclaration> endpoints;
  for (const Node& item : node.items()) {
    EndpointDeclaration endpoint;
    if (auto address = parse_address(item["address"], report)) endpoint.address = *address;
    for (const auto& [name, value] : item["ports"].members()) {
      const bool is_known =
          std::any_of(ports.begin(), ports.end(), [&](const PortDeclaration& port) { return port.name == name; });
      if (!is_known) report.error(value, "the service has no port named " + quoted(name));
      endpoint.ports[name] = static_cast<std::uint16_t>(value.integer());
    }
    check_labels(item["labels"], report);
    endpoint.labels = item["labels"].text_map();
    endpoint.weight = static_cast<std::uint32_t>(std::max<std::int64_t>(item["weight"].integer(1), 1));
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

// Addresses of a ServiceEntry; ranges are allowed by Istio and match nothing here.
std::vector<base::IpAddress> read_addresses(const Node& node, Report& report) {
  std::vector<base::IpAddress> addresses;
  for (const Node& item : node.items()) {
    const std::string text = item.text();
    const auto slash = text.find('/');
    auto address = base::IpAddress::parse(text.substr(0, slash));
    if (!address) {
      report.error(item, quoted(text) + " is not an IPv4 or IPv6 address");
      continue;
    }
    const bool is_single = slash == text.npos || text.substr(slash) == (address->is_v4() ? "/32" : "/128");
    if (is_single) {
      addresses.push_back(*address);
    } else {
      report.warn(kNotEnforced, item,
                  "ranges of addresses are not enforced by this version of Fairlead: name each address");
    }
  }
  return addresses;
}

}  // namespace

std::span<const Field> service_entry_fields() { return kServiceEntry; }

ServiceEntry read_service_entry(const Node& spec, const Context& context, Report& report) {
  ServiceEntry entry;
  entry.metadata = context.metadata;
  if (spec["hosts"].items().empty()) report.error(spec["hosts"], "is empty; name at least one host");
  for (const Node& item : spec["hosts"].items()) {
    if (item.text() == "*") {
      report.error(item, "\"*\" is not a host; name one, or *.<domain>");
    } else {
      check_host(item, report, Addresses::allowed);
    }
    // Unlike those of a VirtualService, these names are taken as they are.
    entry.hosts.push_back(lower(item.text()));
  }
  entry.addresses = read_addresses(spec["addresses"], report);
  entry.ports = read_service_entry_ports(spec["ports"], report);
  const std::string resolution = spec["resolution"].text("NONE");
  const auto endpoints = spec["endpoints"].items();
  entry.is_static = resolution == "STATIC";
  if (resolution == "NONE" && !endpoints.empty()) {
    report.error(spec["endpoints"], "need resolution: STATIC (it is NONE); add it");
  }
  if (spec["workloadSelector"] && spec["endpoints"]) {
    report.error(spec["workloadSelector"], "cannot stand together with endpoints; remove one of them");
  }
  if (entry.is_static) {
    entry.endpoints = read_workload_entries(spec["endpoints"], entry.ports, report);
  } else {
    report.warn(kNotEnforced, spec["resolution"],
                "resolution " + resolution +
                    " is not enforced by this version of Fairlead: connections to these hosts "
                    "pass untouched; use STATIC and list the endpoints");
  }
  if (entry.is_static && entry.hosts.size() > 1) {
    for (const Node& item : spec["ports"].items()) {
      const std::string protocol = item["protocol"].text();
      const ProtocolChoice choice = choose_protocol(protocol, "", 0);
      const bool has_host =
          choice.protocol == Protocol::http || choice.is_http2 || protocol == "HTTPS" || protocol == "TLS";
      if (protocol.empty() || !has_host) {
        report.error(item,
                     "several hosts need ports of HTTP, HTTPS or TLS, where a request names its host; write one "
                     "ServiceEntry for each host");
        break;
      }
    }
  }
  check_export_to(spec["exportTo"], context, true, report);
  entry.export_to = spec["exportTo"].texts();
  return entry;
}

namespace {

constexpr Field kServicePort[] = {
    {.name = "name"},
    {.name = "protocol"},
    {.name = "port", .type = Type::integer, .min = 1, .max = kMaxPort, .is_required = true},
    {.name = "targetPort", .type = Type::any},
    {.name = "nodePort", .type = Type::any},
    {.name = "appProtocol"},
};
constexpr Field kKubernetesService[] = {
    {.name = "type"},
    {.name = "clusterIP"},
    {.name = "clusterIPs", .type = Type::text_list},
    {.name = "ports", .type = Type::object_list, .fields = kServicePort},
    {.name = "selector", .type = Type::text_map},
    // Of no meaning on the client's side.
    {.name = "ipFamilies", .type = Type::any},
    {.name = "ipFamilyPolicy", .type = Type::any},
    {.name = "sessionAffinity", .type = Type::any},
    {.name = "sessionAffinityConfig", .type = Type::any},
    {.name = "internalTrafficPolicy", .type = Type::any},
    {.name = "externalTrafficPolicy", .type = Type::any},
    {.name = "externalIPs", .type = Type::any},
    {.name = "externalName"},
    {.name = "loadBalancerIP", .type = Type::any},
    {.name = "loadBalancerClass", .type = Type::any},
    {.name = "loadBalancerSourceRanges", .type = Type::any},
    {.name = "allocateLoadBalancerNodePorts", .type = Type::any},
    {.name = "healthCheckNodePort", .type = Type::any},
    {.name = "publishNotReadyAddresses", .type = Type::boolean},
    {.name = "trafficDistribution", .type = Type::any},
};

constexpr Field kSlicePort[] = {
    {.name = "name"},
    {.name = "protocol"},
    {.name = "port", .type = Type::integer, .min = 1, .max = kMaxPort},
    {.name = "appProtocol"},
};
constexpr Field kConditions[] = {
    {.name = "ready", .type = Type::boolean},
    {.name = "serving", .type = Type::boolean},
    {.name = "terminating", .type = Type::boolean},
};
constexpr Field kTargetRef[] = {
    {.name = "kind"},
    {.name = "name"},
    {.name = "namespace"},
    {.name = "uid", .type = Type::any},
    {.name = "apiVersion", .type = Type::any},
    {.name = "fieldPath", .type = Type::any},
    {.name = "resourceVersion", .type = Type::any},
};
constexpr Field kSliceEndpoint[] = {
    {.name = "addresses", .type = Type::text_list, .is_required = true},
    {.name = "conditions", .type = Type::object, .fields = kConditions},
    {.name = "hostname"},
    {.name = "targetRef", .type = Type::object, .fields = kTargetRef},
    {.name = "nodeName"},
    {.name = "zone"},
    {.name = "hints", .type = Type::any},
    {.name = "deprecatedTopology", .type = Type::any},
};
constexpr std::string_view kAddressTypes[] = {"IPv4", "IPv6", "FQDN"};

}  // namespace

std::span<const Field> kubernetes_service_fields() { return kKubernetesService; }

KubernetesService read_kubernetes_service(const Node& spec, const Context& context, Report& report) {
  KubernetesService service;
  service.metadata = context.metadata;
  std::set<std::string> names;
  std::set<std::int64_t> numbers;
  for (const Node& item : spec["ports"].items()) {
    PortDeclaration port = declare_port(item, item["appProtocol"], item["port"].integer(), report);
    if (const std::string transport = item["protocol"].text("TCP"); transport != "TCP") continue;
    if (!names.insert(port.name).second) report.error(item, "the port name " + quoted(port.name) + " is there twice");
    if (!numbers.insert(port.number).second)
      report.error(item["port"], "the port " + item["port"].text() + " is there twice");
    service.ports.push_back(std::move(port));
  }
  const bool is_external = spec["type"].text() == "ExternalName";
  service.selector = spec["selector"].text_map();
  service.is_headless = spec["clusterIP"].text() == "None";
  if (is_external) {
    report.warn(kNotEnforced, spec["type"], "ExternalName is not enforced by this version of Fairlead");
  } else if (!service.is_headless) {
    std::vector<Node> addresses = spec["clusterIPs"].items();
    if (addresses.empty() && !spec["clusterIP"].text().empty()) addresses.push_back(spec["clusterIP"]);
    for (const Node& item : addresses) {
      if (auto address = parse_address(item, report)) service.cluster_ips.push_back(*address);
    }
  }
  if (const auto found = context.metadata.annotations.find("networking.istio.io/exportTo");
      found != context.metadata.annotations.end()) {
    std::string_view rest = found->second;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      std::string_view entry = rest.substr(0, comma);
      while (entry.starts_with(' ')) entry.remove_prefix(1);
      while (entry.ends_with(' ')) entry.remove_suffix(1);
      if (!entry.empty()) service.export_to.emplace_back(entry);
      rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
    }
  }
  return service;
}

std::vector<Field> endpoint_slice_document_fields() {
  return {{.name = "apiVersion", .is_required = true},
          {.name = "kind", .is_required = true},
          {.name = "metadata", .type = Type::object, .fields = metadata_fields(), .is_required = true},
          {.name = "addressType", .type = Type::word, .words = kAddressTypes, .is_required = true},
          {.name = "ports", .type = Type::object_list, .fields = kSlicePort},
          {.name = "endpoints", .type = Type::object_list, .fields = kSliceEndpoint}};
}

EndpointSlice read_endpoint_slice(const Node& root, const Context& context, Report& report) {
  EndpointSlice slice;
  slice.metadata = context.metadata;
  if (const auto label = slice.metadata.labels.find("kubernetes.io/service-name");
      label != slice.metadata.labels.end()) {
    slice.service = label->second;
  } else {
    report.error(root["metadata"]["labels"], "the label kubernetes.io/service-name is missing; it names the Service");
  }
  if (root["addressType"].text() == "FQDN") {
    report.warn(kNotEnforced, root["addressType"], "FQDN is not enforced by this version of Fairlead");
    return slice;
  }
  for (const Node& item : root["ports"].items()) {
    if (item["protocol"].text("TCP") == "TCP") {
      slice.ports[item["name"].text()] = static_cast<std::uint16_t>(item["port"].integer());
    }
  }
  for (const Node& item : root["endpoints"].items()) {
    if (item["addresses"].items().empty()) report.error(item["addresses"], "is empty; name at least one address");
    EndpointDeclaration endpoint;
    if (item["targetRef"]["kind"].text() == "Pod") endpoint.pod = item["targetRef"]["name"].text();
    for (const Node& address : item["addresses"].items()) {
      const auto parsed = parse_address(address, report);
      // Kubernetes: not said means ready.
      if (!parsed || !item["conditions"]["ready"].boolean(true)) continue;
      endpoint.address = *parsed;
      slice.endpoints.push_back(endpoint);
    }
  }
  return slice;
}

}  // namespace config::istio
