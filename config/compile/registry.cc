#include "config/compile/registry.h"

#include <algorithm>
#include <set>

#include "config/compile/headless.h"
#include "config/compile/host_patterns.h"

namespace config {
namespace {

std::string first_of(const Labels& labels, std::initializer_list<std::string_view> names, std::string_view fallback) {
  for (const std::string_view name : names) {
    if (const auto found = labels.find(name); found != labels.end() && !found->second.empty()) return found->second;
  }
  return std::string(fallback);
}

// The `app` label when all endpoints share it.
std::string shared_app(const std::vector<EndpointDeclaration>& endpoints) {
  std::string app;
  for (const EndpointDeclaration& endpoint : endpoints) {
    const auto found = endpoint.labels.find("app");
    if (found == endpoint.labels.end() || (!app.empty() && app != found->second)) return "unknown";
    app = found->second;
  }
  return app.empty() ? "unknown" : app;
}

std::vector<ServicePort> to_model(const std::vector<PortDeclaration>& ports) {
  std::vector<ServicePort> result;
  for (const PortDeclaration& port : ports) result.push_back({port.number, port.name, port.protocol});
  return result;
}

std::vector<base::IpAddress> addresses_of(const std::vector<EndpointDeclaration>& endpoints) {
  std::set<base::IpAddress> addresses;  // several slices may have one
  for (const EndpointDeclaration& endpoint : endpoints) addresses.insert(endpoint.address);
  return {addresses.begin(), addresses.end()};
}

// Labels that Kubernetes keeps for itself; the rest of a slice's labels describe its pods.
bool is_kubernetes_label(std::string_view name) {
  const auto slash = name.find('/');
  return slash != name.npos && name.substr(0, slash).ends_with("kubernetes.io") &&
         !name.starts_with("app.kubernetes.io/");
}

// Labels of endpoints come from their pods. In files nobody gives them: there they are what the service selects, and
// the labels of the slice.
void add_endpoints(const EndpointSlice& slice, const KubernetesService& service,
                   std::vector<EndpointDeclaration>& endpoints) {
  for (EndpointDeclaration endpoint : slice.endpoints) {
    endpoint.ports = slice.ports;
    if (endpoint.labels.empty()) {
      endpoint.labels = service.selector;
      for (const auto& [name, value] : slice.metadata.labels) {
        if (!is_kubernetes_label(name)) endpoint.labels[name] = value;
      }
    }
    endpoints.push_back(std::move(endpoint));
  }
}

}  // namespace

bool includes(const Labels& labels, const Labels& subset) {
  return std::all_of(subset.begin(), subset.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

bool is_visible(const std::vector<std::string>& export_to, std::string_view owner, std::string_view viewer) {
  if (export_to.empty()) return true;
  return std::any_of(export_to.begin(), export_to.end(), [&](const std::string& entry) {
    return entry == "*" || entry == viewer || (entry == "." && owner == viewer);
  });
}

std::string kubernetes_host(const Metadata& service, std::string_view domain) {
  return service.name + "." + service.name_space + ".svc." + std::string(domain);
}

std::optional<std::pair<std::string, std::string>> kubernetes_name(std::string_view host, std::string_view domain) {
  const std::string suffix = ".svc." + std::string(domain);
  if (!host.ends_with(suffix)) return std::nullopt;
  const std::string_view rest = host.substr(0, host.size() - suffix.size());
  const auto dot = rest.find('.');
  if (dot == rest.npos || rest.find('.', dot + 1) != rest.npos) return std::nullopt;
  return std::pair{std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
}

WorkloadIdentity identity_from_labels(const Labels& labels, std::string_view workload, std::string_view name_space) {
  WorkloadIdentity identity;
  identity.workload = first_of(labels, {"service.istio.io/workload-name"}, workload);
  identity.workload_namespace = name_space;
  identity.app = first_of(labels, {"app"}, "unknown");
  identity.version = first_of(labels, {"version"}, "unknown");
  identity.canonical_service =
      first_of(labels, {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"}, identity.workload);
  identity.canonical_revision =
      first_of(labels, {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}, "latest");
  return identity;
}

Registry::Registry(const Documents& documents, std::vector<Finding>& findings) {
  index_workloads(documents);
  std::multimap<std::pair<std::string_view, std::string_view>, const EndpointSlice*> slices;  // by service
  for (const EndpointSlice& slice : documents.endpoint_slices) {
    slices.emplace(std::pair(std::string_view(slice.metadata.name_space), std::string_view(slice.service)), &slice);
  }
  const auto headless = headless_services_with_policies(documents);
  for (const KubernetesService& document : documents.services) {
    Entry entry;
    entry.service.name = document.metadata.name;
    entry.service.name_space = document.metadata.name_space;
    entry.service.host = kubernetes_host(document.metadata, documents.settings.cluster_domain);
    entry.service.vips = document.cluster_ips;
    entry.ports = document.ports;
    entry.export_to = document.export_to;
    entry.service.is_headless = document.is_headless;
    entry.is_kubernetes = true;
    const bool has_policy = headless.contains(entry.service.host);
    entry.is_in_use =
        has_policy || !documents.services_in_use || documents.services_in_use->contains(entry.service.host);
    entry.origin = document.metadata.origin;
    const auto [first, last] = slices.equal_range({document.metadata.name_space, document.metadata.name});
    for (auto slice = first; slice != last; ++slice) add_endpoints(*slice->second, document, entry.endpoints);
    if (has_policy) entry.service.vips = addresses_of(entry.endpoints);
    add(std::move(entry), findings);
  }
  for (const ServiceEntry& document : documents.service_entries) {
    if (!document.is_static) continue;
    for (const std::string& host : document.hosts) {
      Entry entry;
      const auto name = kubernetes_name(host, documents.settings.cluster_domain);
      entry.service.host = host;
      entry.service.name = name ? name->first : host;
      entry.service.name_space = document.metadata.name_space;
      entry.service.vips = document.addresses;
      entry.ports = document.ports;
      entry.endpoints = document.endpoints;
      entry.export_to = document.export_to;
      entry.origin = document.metadata.origin;
      add(std::move(entry), findings);
    }
  }
}

void Registry::add(Entry entry, std::vector<Finding>& findings) {
  entry.service.ports = to_model(entry.ports);
  entry.service.app = shared_app(entry.endpoints);
  const auto index = static_cast<std::uint32_t>(entries_.size());
  const auto [existing, is_new] = by_host_.emplace(entry.service.host, index);
  if (is_new) {
    entries_.push_back(std::move(entry));
    return;
  }
  const Origin& kept = entries_[existing->second].origin;
  Finding finding;
  finding.code = kDuplicateHost;
  finding.file = entry.origin.file;
  finding.line = entry.origin.line;
  finding.column = entry.origin.column;
  finding.message = "the host " + entry.service.host + " has a service already, at " + kept.file + ":" +
                    std::to_string(kept.line) + "; this one has no effect";
  findings.push_back(std::move(finding));
}

void Registry::index_workloads(const Documents& documents) {
  for (const WorkloadDocument& workload : documents.workloads) {
    const Labels& labels = workload.metadata.labels;
    if (labels.empty()) continue;
    const auto& [name, value] = *labels.begin();
    workloads_[{workload.metadata.name_space, name, value}].push_back(&workload);
  }
}

std::vector<const Registry::Entry*> Registry::covered_by(std::string_view pattern) const {
  std::vector<const Entry*> covered;
  if (!is_wildcard(pattern)) {
    if (const auto index = find(pattern)) covered.push_back(&entries_[*index]);
    return covered;
  }
  for (const Entry& entry : entries_) {
    if (covers_host(pattern, entry.service.host)) covered.push_back(&entry);
  }
  return covered;
}

std::optional<std::uint32_t> Registry::find(std::string_view host) const {
  const auto found = by_host_.find(host);
  if (found == by_host_.end()) return std::nullopt;
  return found->second;
}

WorkloadIdentity Registry::identity_of(const EndpointDeclaration& endpoint, const std::string& name_space) const {
  if (!endpoint.workload.empty()) return identity_from_labels(endpoint.labels, endpoint.workload, name_space);
  // The workload behind an endpoint is the one whose labels the endpoint has, the most specific first, then the oldest.
  const WorkloadDocument* best = nullptr;
  for (const auto& [name, value] : endpoint.labels) {
    const auto found = workloads_.find({name_space, name, value});
    if (found == workloads_.end()) continue;
    for (const WorkloadDocument* workload : found->second) {
      const Labels& labels = workload->metadata.labels;
      if (!includes(endpoint.labels, labels)) continue;
      const std::size_t most = best == nullptr ? 0 : best->metadata.labels.size();
      if (labels.size() > most || (labels.size() == most && workload < best)) best = workload;
    }
  }
  std::string name = "unknown";
  if (best != nullptr) {
    name = best->metadata.name;
  } else if (!endpoint.pod.empty()) {
    name = endpoint.pod;
  }
  return identity_from_labels(endpoint.labels, name, name_space);
}

std::vector<Endpoint> Registry::endpoints(const Entry& entry, const PortDeclaration& port, const Labels& subset) const {
  std::vector<Endpoint> result;
  for (const EndpointDeclaration& declared : entry.endpoints) {
    if (!includes(declared.labels, subset)) continue;
    Endpoint endpoint;
    endpoint.address.ip = declared.address;
    const auto named = declared.ports.find(port.name);
    endpoint.address.port = named != declared.ports.end() ? named->second
                            : port.target_port != 0       ? port.target_port
                                                          : port.number;
    endpoint.weight = declared.weight;
    endpoint.identity = identity_of(declared, entry.service.name_space);
    result.push_back(std::move(endpoint));
  }
  return result;
}

}  // namespace config
