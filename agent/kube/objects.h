#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/socket_address.h"

// Objects of the Kubernetes API as far as Fairlead reads them. A field that is unknown is ignored, one of another type
// is an error that names the object: "Pod shop/web-1: spec.nodeName is not text".
namespace agent::kube {

using Labels = std::map<std::string, std::string, std::less<>>;

struct OwnerReference {
  std::string kind;
  std::string name;
  bool is_controller = false;
};

struct ObjectMeta {
  std::string name;
  std::string name_space;  // empty: the kind has none
  std::string uid;
  std::string creation_timestamp;  // RFC 3339 in UTC
  Labels labels;
  Labels annotations;  // Kubernetes', Istio's and Fairlead's: others are not read by anybody here and may be large
  std::vector<OwnerReference> owners;
  bool is_being_deleted = false;
};

struct Namespace {
  ObjectMeta metadata;
};

struct ContainerPort {
  std::string name;
  std::uint16_t number = 0;
  std::string protocol;  // "TCP", "UDP", "SCTP"
};

struct Container {
  enum class Kind : std::uint8_t {
    main,
    init,
    sidecar,  // an init container that is restarted always
    ephemeral,
  };
  Kind kind = Kind::main;
  std::string name;
  std::vector<ContainerPort> ports;
  std::string id;  // "containerd://<64 digits>"; empty until it was started once
  bool is_running = false;
};

struct Pod {
  enum class Phase : std::uint8_t { unknown, pending, running, succeeded, failed };
  ObjectMeta metadata;
  std::string node;
  std::string service_account;
  std::string runtime_class;  // empty: the node's usual runtime
  bool uses_host_network = false;
  std::vector<Container> containers;
  Phase phase = Phase::unknown;
  bool is_ready = false;
  std::string qos_class;  // "Guaranteed", "Burstable", "BestEffort"
  std::vector<base::IpAddress> addresses;

  // Nothing of it will ever run again.
  [[nodiscard]] bool is_over() const { return phase == Phase::succeeded || phase == Phase::failed; }
};

struct ServicePort {
  std::string name;
  std::string protocol;
  std::uint16_t number = 0;
  std::uint16_t target_number = 0;  // 0: target_name, or the same as number
  std::string target_name;          // of a container's port
  std::string app_protocol;
};

struct Service {
  enum class Kind : std::uint8_t { virtual_ip, headless, external_name };
  ObjectMeta metadata;
  Kind kind = Kind::virtual_ip;
  std::vector<base::IpAddress> cluster_ips;
  std::string external_name;
  std::vector<ServicePort> ports;
  Labels selector;
  bool publishes_not_ready = false;
  bool is_node_local = false;        // internalTrafficPolicy: Local
  std::string traffic_distribution;  // "PreferClose", "PreferSameZone", "PreferSameNode"; empty: anywhere
};

struct EndpointPort {
  std::string name;
  std::string protocol;
  std::uint16_t number = 0;  // 0: all
  std::string app_protocol;
};

struct Endpoint {
  std::vector<base::IpAddress> addresses;  // of one and the same endpoint
  bool is_ready = true;
  bool is_serving = true;  // answers, whether it is terminating or not
  bool is_terminating = false;
  std::string pod_namespace;  // both empty when it is not a pod
  std::string pod;
  std::string node;
  std::string zone;
  std::vector<std::string> for_zones;  // hints: whose clients it is meant for; none: all
  std::vector<std::string> for_nodes;
};

struct EndpointSlice {
  ObjectMeta metadata;
  std::string service;   // of the same namespace
  bool is_fqdn = false;  // host names, which are not read
  std::vector<EndpointPort> ports;
  std::vector<Endpoint> endpoints;
};

base::Result<Namespace> read_namespace(const boost::json::object& object);
base::Result<Pod> read_pod(const boost::json::object& object);
base::Result<Service> read_service(const boost::json::object& object);
base::Result<EndpointSlice> read_endpoint_slice(const boost::json::object& object);
// Of any kind: what PartialObjectMetadata has.
base::Result<ObjectMeta> read_metadata(const boost::json::object& object);

// Something that somebody should see with `kubectl describe` of an object.
struct Event {
  std::string api_version, kind, name_space, name, uid;  // of the object
  bool is_warning = false;
  std::string reason;   // one word, for programs
  std::string action;   // one word: what was being done
  std::string message;  // for people
  std::string node;     // that says so
  base::WallTime time;
};

// As a document of events.k8s.io/v1, and where it is to be posted.
std::string to_json(const Event& event);
std::string events_path(const Event& event);

}  // namespace agent::kube
