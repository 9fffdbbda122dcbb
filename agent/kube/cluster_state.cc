#include "agent/kube/cluster_state.h"

#include <tuple>

#include "agent/kube/workload_name.h"

namespace agent::kube {

ClusterState::ClusterState(Settings settings)
    : settings_(std::move(settings)),
      place_{.node = settings_.node, .zone = {}},
      policies_(kSource, settings_.cluster_domain) {}

void ClusterState::upsert(Pod pod) {
  Name name{pod.metadata.name_space, pod.metadata.name};
  pods_.insert_or_assign(std::move(name), std::move(pod));
}

void ClusterState::upsert(Namespace name_space) {
  namespaces_.insert_or_assign(std::move(name_space.metadata.name), std::move(name_space.metadata.labels));
}

void ClusterState::upsert(Service service) {
  Name name{service.metadata.name_space, service.metadata.name};
  services_.insert_or_assign(std::move(name), std::move(service));
}

std::string ClusterState::host_of(const Name& service) const {
  return service.second + "." + service.first + ".svc." + settings_.cluster_domain;
}

ClusterState::Name ClusterState::service_of(std::string_view host) const {
  const std::string suffix = ".svc." + settings_.cluster_domain;
  if (!host.ends_with(suffix)) return {};
  host.remove_suffix(suffix.size());
  const std::size_t dot = host.find('.');
  if (dot == host.npos) return {};
  Name name{std::string(host.substr(dot + 1)), std::string(host.substr(0, dot))};
  return services_.contains(name) ? name : Name();
}

const Service* ClusterState::find_service(const Name& name) const {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : &found->second;
}

PodFacts ClusterState::facts(const Pod& pod) const {
  PodFacts facts;
  if (const auto found = namespaces_.find(pod.metadata.name_space); found != namespaces_.end()) {
    facts.namespace_labels = found->second;
  }
  facts.labels = pod.metadata.labels;
  facts.annotations = pod.metadata.annotations;
  for (const Container& container : pod.containers) facts.containers.push_back(container.name);
  facts.has_host_network = pod.uses_host_network;
  return facts;
}

// Pods of one workload that policies may tell apart (a roll-out changes labels) count as workloads of their own.
void ClusterState::add_pods(ClusterView& view) const {
  std::map<std::tuple<std::string, std::string, Labels>, std::size_t> documents;
  for (const auto& [name, pod] : pods_) {
    if (pod.is_over()) continue;
    LocalPod local;
    local.uid = pod.metadata.uid;
    local.name = pod.metadata.name;
    local.name_space = pod.metadata.name_space;
    if (!pod.addresses.empty()) local.ip = pod.addresses.front().to_string();
    if (const auto hash = pod.metadata.annotations.find("kubernetes.io/config.hash");
        hash != pod.metadata.annotations.end()) {
      local.static_hash = hash->second;
    }
    local.workload = workload_name(pod.metadata);
    local.runtime_class = pod.runtime_class;
    for (const Container& container : pod.containers) {
      const std::size_t scheme = container.id.find("://");
      if (container.is_running && scheme != std::string::npos) {
        local.running_containers.push_back(container.id.substr(scheme + 3));
      }
    }
    local.opt_in = decide_opt_in(facts(pod));
    if (local.opt_in.is_captured()) {
      const Labels labels = workload_labels(pod.metadata.labels);
      auto& workloads = view.documents.workloads;
      const auto [document, is_new] =
          documents.try_emplace({local.name_space, local.workload, labels}, workloads.size());
      if (is_new) {
        config::WorkloadDocument& workload = workloads.emplace_back();
        workload.metadata.name = local.workload;
        workload.metadata.name_space = local.name_space;
        workload.metadata.labels = labels;
      }
      local.document = document->second;
    }
    view.pods.push_back(std::move(local));
  }
}

void ClusterState::add_services(ClusterView& view) const {
  for (const auto& [name, service] : services_) {
    if (service.kind == Service::Kind::external_name) continue;
    view.documents.services.push_back(to_document(service));
    if (service.kind != Service::Kind::virtual_ip) continue;
    for (const base::IpAddress& address : service.cluster_ips) view.hosts.emplace(address, host_of(name));
  }
  for (const auto& [name, endpoints] : called_) {
    const Service* const service = find_service(name);
    if (service == nullptr) continue;
    if (endpoints.has_slices && endpoints.has_pods) view.hosts_with_endpoints.insert(host_of(name));
    const auto find_pod = [&pods = endpoints.pods](const std::string& pod) {
      const auto found = pods.find(pod);
      return found == pods.end() ? nullptr : &found->second;
    };
    for (config::EndpointSlice& slice : to_documents(endpoints.slices, *service, place_, find_pod)) {
      view.documents.endpoint_slices.push_back(std::move(slice));
    }
  }
}

ClusterView ClusterState::view() const {
  ClusterView view;
  policies_.add_to(view.documents);
  view.findings = policies_.findings();
  view.statuses = policies_.statuses();
  view.rejects = policies_.rejects();
  add_pods(view);
  add_services(view);
  return view;
}

}  // namespace agent::kube
