#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/objects.h"
#include "config/documents.h"
#include "config/yaml/value.h"

// Objects of the API server as the documents that config compiles: pure.
namespace agent::kube {

inline constexpr const char* kSource = "kubernetes";  // where findings say `file`

// Of a policy, for the strict reader. Its places are unknown: lines do not survive the API server.
config::yaml::Value to_value(const boost::json::object& object, std::string_view api_version, std::string_view kind);

config::KubernetesService to_document(const Service& service);

// What an endpoint's pod is, by name; nullptr when it is not known.
using FindPod = std::function<const ObjectMeta*(const std::string& pod)>;
struct NodePlace {
  std::string node, zone;
};
using Slices = std::map<std::string, EndpointSlice, std::less<>>;  // of one service, by name
// With the endpoints that clients on this node use, as kube-proxy chooses them: those that are ready, else those that
// still answer while they end; of these the ones that hints mean for this zone, if hints cover all of them; only the
// node's own where `service` says so. Of two families the service's first.
// Of a headless service those that its names stand for, of both families.
std::vector<config::EndpointSlice> to_documents(const Slices& slices, const Service& service, const NodePlace& place,
                                                const FindPod& find_pod);

}  // namespace agent::kube
