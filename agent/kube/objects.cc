#include "agent/kube/objects.h"

#include <boost/json.hpp>
#include <ctime>
#include <utility>

#include "agent/kube/api_error.h"
#include "agent/kube/api_time.h"
#include "agent/kube/json_node.h"
#include "agent/kube/resource.h"
#include "base/utf8.h"

namespace agent::kube {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxPort = 65535;

bool any(std::string_view) { return true; }

// "networking.istio.io/exportTo" belongs to istio.io.
bool belongs_to(std::string_view key, std::string_view domain) {
  const std::string_view prefix = key.substr(0, key.find('/'));
  return prefix.ends_with(domain) &&
         (prefix.size() == domain.size() || prefix[prefix.size() - domain.size() - 1] == '.');
}

bool is_read_annotation(std::string_view key) {
  if (key == "kubectl.kubernetes.io/last-applied-configuration") return false;  // the whole object once more
  return belongs_to(key, "fairlead.dev") || belongs_to(key, "istio.io") || belongs_to(key, "kubernetes.io");
}

ObjectMeta metadata_of(const JsonNode& root) {
  const JsonNode node = root["metadata"];
  ObjectMeta metadata{.name = node["name"].text(),
                      .name_space = node["namespace"].text(),
                      .uid = node["uid"].text(),
                      .creation_timestamp = node["creationTimestamp"].text(),
                      .labels = node["labels"].text_map(any),
                      .annotations = node["annotations"].text_map(is_read_annotation),
                      .is_being_deleted = static_cast<bool>(node["deletionTimestamp"])};
  node["ownerReferences"].each([&](const JsonNode& owner) {
    metadata.owners.push_back(
        {.kind = owner["kind"].text(), .name = owner["name"].text(), .is_controller = owner["controller"].boolean()});
  });
  return metadata;
}

// The struct that `fill` has read, or what is wrong with the object.
template <typename T, typename Fill>
base::Result<T> read(std::string_view kind, const json::object& object, Fill fill) {
  Complaint complaint;
  const JsonNode root(object, complaint);
  T result;
  ObjectMeta& metadata = [&]() -> ObjectMeta& {
    if constexpr (std::is_same_v<T, ObjectMeta>) {
      return result;
    } else {
      return result.metadata;
    }
  }();
  metadata = metadata_of(root);
  if (metadata.name.empty()) complaint.add("metadata.name is missing");
  fill(root, result);
  if (complaint.message().empty()) return result;
  const std::string place = metadata.name_space.empty() ? "" : metadata.name_space + "/";
  return base::fail(base::Errc::invalid,
                    printable(std::string(kind) + " " + place + metadata.name + ": " + complaint.message()));
}

std::uint16_t port_of(const JsonNode& node) { return static_cast<std::uint16_t>(node.integer(0, kMaxPort)); }

std::string or_tcp(std::string protocol) { return protocol.empty() ? "TCP" : std::move(protocol); }

Pod::Phase phase_of(std::string_view text) {
  static constexpr std::pair<std::string_view, Pod::Phase> kPhases[] = {{"Pending", Pod::Phase::pending},
                                                                        {"Running", Pod::Phase::running},
                                                                        {"Succeeded", Pod::Phase::succeeded},
                                                                        {"Failed", Pod::Phase::failed}};
  for (const auto& [name, phase] : kPhases) {
    if (name == text) return phase;
  }
  return Pod::Phase::unknown;
}

void add_containers(Pod& pod, const JsonNode& specs, const JsonNode& statuses, Container::Kind kind) {
  const std::size_t first = pod.containers.size();
  specs.each([&](const JsonNode& spec) {
    Container container{.kind = kind, .name = spec["name"].text()};
    if (kind == Container::Kind::init && spec["restartPolicy"].text() == "Always") {
      container.kind = Container::Kind::sidecar;
    }
    spec["ports"].each([&](const JsonNode& port) {
      container.ports.push_back({.name = port["name"].text(),
                                 .number = port_of(port["containerPort"]),
                                 .protocol = or_tcp(port["protocol"].text())});
    });
    pod.containers.push_back(std::move(container));
  });
  statuses.each([&](const JsonNode& status) {
    const std::string name = status["name"].text();
    for (std::size_t i = first; i < pod.containers.size(); ++i) {
      if (pod.containers[i].name != name) continue;
      pod.containers[i].id = status["containerID"].text();
      pod.containers[i].is_running = static_cast<bool>(status["state"]["running"]);
    }
  });
}

void fill_pod(const JsonNode& root, Pod& pod) {
  const JsonNode spec = root["spec"];
  const JsonNode status = root["status"];
  pod.node = spec["nodeName"].text();
  pod.service_account = spec["serviceAccountName"].text();
  pod.runtime_class = spec["runtimeClassName"].text();
  pod.uses_host_network = spec["hostNetwork"].boolean();
  add_containers(pod, spec["initContainers"], status["initContainerStatuses"], Container::Kind::init);
  add_containers(pod, spec["containers"], status["containerStatuses"], Container::Kind::main);
  add_containers(pod, spec["ephemeralContainers"], status["ephemeralContainerStatuses"], Container::Kind::ephemeral);
  pod.phase = phase_of(status["phase"].text());
  pod.qos_class = status["qosClass"].text();
  status["conditions"].each([&](const JsonNode& condition) {
    if (condition["type"].text() == "Ready") pod.is_ready = condition["status"].text() == "True";
  });
  status["podIPs"].each([&](const JsonNode& item) {
    if (const auto address = item["ip"].address()) pod.addresses.push_back(*address);
  });
}

void fill_service(const JsonNode& root, Service& service) {
  const JsonNode spec = root["spec"];
  if (spec["type"].text() == "ExternalName") {
    service.kind = Service::Kind::external_name;
    service.external_name = spec["externalName"].text();
  } else if (spec["clusterIP"].text() == "None") {
    service.kind = Service::Kind::headless;
  } else {
    service.cluster_ips = spec["clusterIPs"].addresses();
  }
  spec["ports"].each([&](const JsonNode& item) {
    ServicePort port{.name = item["name"].text(),
                     .protocol = or_tcp(item["protocol"].text()),
                     .number = port_of(item["port"]),
                     .app_protocol = item["appProtocol"].text()};
    const JsonNode target = item["targetPort"];
    if (const auto name = target.if_text()) {
      port.target_name = *name;
    } else {
      port.target_number = port_of(target);
    }
    service.ports.push_back(std::move(port));
  });
  service.selector = spec["selector"].text_map(any);
  service.publishes_not_ready = spec["publishNotReadyAddresses"].boolean();
  service.is_node_local = spec["internalTrafficPolicy"].text() == "Local";
  service.traffic_distribution = spec["trafficDistribution"].text();
}

Endpoint read_endpoint(const JsonNode& item) {
  Endpoint endpoint{
      .addresses = item["addresses"].addresses(), .node = item["nodeName"].text(), .zone = item["zone"].text()};
  const JsonNode conditions = item["conditions"];
  endpoint.is_ready = conditions["ready"].boolean(true);
  endpoint.is_serving = conditions["serving"].boolean(endpoint.is_ready);
  endpoint.is_terminating = conditions["terminating"].boolean();
  if (const JsonNode target = item["targetRef"]; target["kind"].text() == "Pod") {
    endpoint.pod_namespace = target["namespace"].text();
    endpoint.pod = target["name"].text();
  }
  const JsonNode hints = item["hints"];
  hints["forZones"].each([&](const JsonNode& zone) { endpoint.for_zones.push_back(zone["name"].text()); });
  hints["forNodes"].each([&](const JsonNode& node) { endpoint.for_nodes.push_back(node["name"].text()); });
  return endpoint;
}

void fill_endpoint_slice(const JsonNode& root, EndpointSlice& slice) {
  if (const auto label = slice.metadata.labels.find("kubernetes.io/service-name");
      label != slice.metadata.labels.end()) {
    slice.service = label->second;
  }
  root["ports"].each([&](const JsonNode& port) {
    slice.ports.push_back({.name = port["name"].text(),
                           .protocol = or_tcp(port["protocol"].text()),
                           .number = port_of(port["port"]),
                           .app_protocol = port["appProtocol"].text()});
  });
  slice.is_fqdn = root["addressType"].text() == "FQDN";
  if (slice.is_fqdn) return;
  root["endpoints"].each([&](const JsonNode& item) { slice.endpoints.push_back(read_endpoint(item)); });
}

// What the API takes of a text; cut between characters.
std::string bounded(std::string_view text, std::size_t limit) {
  text = text.substr(0, limit);
  return std::string(text.substr(0, base::utf8_prefix(text)));
}

// An object without a namespace has its events in this one.
std::string event_namespace(const Event& event) { return event.name_space.empty() ? "default" : event.name_space; }

}  // namespace

base::Result<ObjectMeta> read_metadata(const json::object& object) {
  return read<ObjectMeta>("object", object, [](const JsonNode&, ObjectMeta&) {});
}

base::Result<Namespace> read_namespace(const json::object& object) {
  return read<Namespace>("Namespace", object, [](const JsonNode&, Namespace&) {});
}

base::Result<Pod> read_pod(const json::object& object) { return read<Pod>("Pod", object, fill_pod); }

base::Result<Service> read_service(const json::object& object) {
  return read<Service>("Service", object, fill_service);
}

base::Result<EndpointSlice> read_endpoint_slice(const json::object& object) {
  return read<EndpointSlice>("EndpointSlice", object, fill_endpoint_slice);
}

std::string events_path(const Event& event) {
  return collection_path(
      {.group = "events.k8s.io", .version = "v1", .plural = "events", .name_space = event_namespace(event)});
}

std::string to_json(const Event& event) {
  const std::string time = api_micro_time(event.time);
  json::object regarding{{"apiVersion", event.api_version}, {"kind", event.kind}, {"name", event.name}};
  if (!event.name_space.empty()) regarding["namespace"] = event.name_space;
  if (!event.uid.empty()) regarding["uid"] = event.uid;
  return json::serialize(json::object{
      {"apiVersion", "events.k8s.io/v1"},
      {"kind", "Event"},
      {"metadata", {{"generateName", "fairlead-"}, {"namespace", event_namespace(event)}}},
      {"eventTime", time},
      {"regarding", std::move(regarding)},
      {"type", event.is_warning ? "Warning" : "Normal"},
      {"reason", bounded(event.reason, 128)},
      {"action", bounded(event.action, 128)},
      {"note", bounded(event.message, 1024)},
      {"reportingController", "fairlead.dev/agent"},
      {"reportingInstance", bounded("fairlead-" + event.node, 128)},
  });
}

}  // namespace agent::kube
