#include "agent/kube/documents.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "agent/kube/workload_name.h"
#include "config/istio/common.h"

namespace agent::kube {
namespace {

namespace json = boost::json;
using config::yaml::Value;

constexpr config::yaml::Mark kNowhere{0, 0};

Value scalar(std::string_view text, bool is_quoted) {
  Value value;
  value.kind = Value::Kind::scalar;
  value.is_quoted = is_quoted;
  value.mark = kNowhere;
  value.text = text;
  return value;
}

Value convert(const json::value& from);

Value convert(const json::object& from) {
  Value value;
  value.kind = Value::Kind::mapping;
  value.mark = kNowhere;
  for (const auto& [key, member] : from) value.members.push_back({std::string(key), kNowhere, convert(member)});
  return value;
}

Value convert(const json::value& from) {
  switch (from.kind()) {
    case json::kind::null:
      break;
    case json::kind::string:
      return scalar(from.get_string(), true);
    case json::kind::object:
      return convert(from.get_object());
    case json::kind::array: {
      Value value;
      value.kind = Value::Kind::sequence;
      value.mark = kNowhere;
      for (const json::value& item : from.get_array()) value.items.push_back(convert(item));
      return value;
    }
    default:  // numbers and booleans are written as in YAML
      return scalar(json::serialize(from), false);
  }
  Value null;
  null.mark = kNowhere;
  return null;
}

config::Metadata to_metadata(const ObjectMeta& from, std::string_view kind) {
  config::Metadata metadata;
  metadata.name = from.name;
  metadata.name_space = from.name_space;
  metadata.labels = from.labels;
  metadata.annotations = from.annotations;
  metadata.creation_timestamp = from.creation_timestamp;
  metadata.origin.file = std::string(kSource) + ": " + std::string(kind) + " " + from.name_space + "/" + from.name;
  return metadata;
}

// Istio's list of namespaces in an annotation.
std::vector<std::string> export_to(const Labels& annotations) {
  std::vector<std::string> entries;
  const auto found = annotations.find("networking.istio.io/exportTo");
  std::string_view rest = found == annotations.end() ? std::string_view() : std::string_view(found->second);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view entry = rest.substr(0, comma);
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (!entry.empty()) entries.emplace_back(entry);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return entries;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Whoever looks a headless service up chooses the family.
bool is_of_family(const EndpointSlice& slice, const Service& service) {
  if (service.kind == Service::Kind::headless) return true;
  const bool wants_v4 = service.cluster_ips.empty() || service.cluster_ips.front().is_v4();
  for (const Endpoint& endpoint : slice.endpoints) {
    if (!endpoint.addresses.empty()) return endpoint.addresses.front().is_v4() == wants_v4;
  }
  return true;
}

// Those that are meant for clients at `place`, when all endpoints have such a hint and one of them is for it:
// kube-proxy's rule.
bool keep_hinted(std::set<const Endpoint*>& chosen, std::vector<std::string> Endpoint::* hints,
                 const std::string& place) {
  const auto is_hinted = [&](const Endpoint* endpoint) { return !(endpoint->*hints).empty(); };
  const auto is_ours = [&](const Endpoint* endpoint) { return contains(endpoint->*hints, place); };
  if (place.empty() || !std::all_of(chosen.begin(), chosen.end(), is_hinted) ||
      std::none_of(chosen.begin(), chosen.end(), is_ours)) {
    return false;
  }
  std::erase_if(chosen, [&](const Endpoint* endpoint) { return !is_ours(endpoint); });
  return true;
}

std::set<const Endpoint*> usable(const std::vector<const EndpointSlice*>& slices, const Service& service,
                                 const NodePlace& place) {
  std::set<const Endpoint*> chosen;
  const auto add = [&](const auto& is_good) {
    for (const EndpointSlice* slice : slices) {
      for (const Endpoint& endpoint : slice->endpoints) {
        if (is_good(endpoint)) chosen.insert(&endpoint);
      }
    }
  };
  add([&](const Endpoint& endpoint) { return endpoint.is_ready || service.publishes_not_ready; });
  if (chosen.empty()) add([](const Endpoint& endpoint) { return endpoint.is_serving && endpoint.is_terminating; });
  if (service.kind == Service::Kind::headless) return chosen;  // kube-proxy has no part in it
  if (service.is_node_local) {
    std::erase_if(chosen, [&](const Endpoint* endpoint) { return endpoint->node != place.node; });
    return chosen;
  }
  if (keep_hinted(chosen, &Endpoint::for_nodes, place.node)) return chosen;
  keep_hinted(chosen, &Endpoint::for_zones, place.zone);
  return chosen;
}

config::EndpointSlice to_document(const EndpointSlice& slice, const std::set<const Endpoint*>& chosen,
                                  const FindPod& find_pod) {
  config::EndpointSlice document;
  document.metadata = to_metadata(slice.metadata, "EndpointSlice");
  document.service = slice.service;
  for (const EndpointPort& port : slice.ports) {
    if (port.protocol == "TCP" && port.number != 0) document.ports[port.name] = port.number;
  }
  for (const Endpoint& from : slice.endpoints) {
    if (!chosen.contains(&from)) continue;
    config::EndpointDeclaration endpoint;
    endpoint.pod = from.pod;
    if (const ObjectMeta* pod = from.pod.empty() ? nullptr : find_pod(from.pod)) {
      endpoint.labels = pod->labels;
      endpoint.workload = workload_name(*pod);
    }
    for (const base::IpAddress& address : from.addresses) {
      endpoint.address = address;
      document.endpoints.push_back(endpoint);
    }
  }
  return document;
}

}  // namespace

Value to_value(const json::object& object, std::string_view api_version, std::string_view kind) {
  Value value;
  value.kind = Value::Kind::mapping;
  value.mark = kNowhere;
  value.members.push_back({"apiVersion", kNowhere, scalar(api_version, true)});
  value.members.push_back({"kind", kNowhere, scalar(kind, true)});
  for (const auto& [key, member] : object) {
    if (key == "metadata" && member.is_object()) {
      json::object metadata = member.get_object();
      for (const char* name : {"managedFields", "annotations"}) metadata.erase(name);
      value.members.push_back({"metadata", kNowhere, convert(metadata)});
    } else if (key == "spec") {
      value.members.push_back({"spec", kNowhere, convert(member)});
    }
  }
  return value;
}

config::KubernetesService to_document(const Service& service) {
  config::KubernetesService document;
  document.metadata = to_metadata(service.metadata, "Service");
  document.selector = service.selector;
  document.is_headless = service.kind == Service::Kind::headless;
  if (service.kind == Service::Kind::virtual_ip) document.cluster_ips = service.cluster_ips;
  document.export_to = export_to(service.metadata.annotations);
  for (const ServicePort& port : service.ports) {
    if (port.protocol != "TCP") continue;
    config::PortDeclaration& declared = document.ports.emplace_back();
    declared.number = port.number;
    declared.name = port.name;
    declared.protocol = config::istio::choose_protocol(port.app_protocol, port.name, port.number).protocol;
  }
  return document;
}

std::vector<config::EndpointSlice> to_documents(const Slices& slices, const Service& service, const NodePlace& place,
                                                const FindPod& find_pod) {
  std::vector<const EndpointSlice*> ours;
  for (const auto& [name, slice] : slices) {
    if (!slice.is_fqdn && is_of_family(slice, service)) ours.push_back(&slice);
  }
  const std::set<const Endpoint*> chosen = usable(ours, service, place);
  std::vector<config::EndpointSlice> documents;
  for (const EndpointSlice* slice : ours) documents.push_back(to_document(*slice, chosen, find_pod));
  return documents;
}

}  // namespace agent::kube
