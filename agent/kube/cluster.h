#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/kube/client_config.h"
#include "agent/kube/objects.h"
#include "agent/kube/status/lease.h"
#include "agent/kube/watch_status.h"
#include "agent/pods/pod_instances.h"
#include "base/result.h"
#include "config/document_store.h"
#include "config/documents.h"
#include "config/object_store.h"

namespace agent::kube {

// What the API server says at one moment, as far as this node uses it. Immutable.
struct ClusterView {
  // Everything but settings; EndpointSlices only of services that are called. A workload for each one that has pods
  // here.
  config::Documents documents;
  std::uint64_t documents_revision = 0;  // another number: `documents` may differ
  std::vector<LocalPod> pods;
  std::map<base::IpAddress, std::string> hosts;             // of services, by cluster IP
  std::set<std::string, std::less<>> hosts_with_endpoints;  // whose EndpointSlices and pods are complete

  std::vector<config::Finding> findings;
  std::vector<config::DocumentStatus> statuses;
  std::vector<config::ObjectStore::Rejects> rejects;

  std::vector<WatchStatus> watches;         // of what is always followed
  std::vector<WatchStatus> called_watches;  // of what is followed for services that are called, those that ended too
  // All that is needed before anything may be enforced has been read once.
  [[nodiscard]] bool is_synced() const;
};

// Follows the cluster on a thread of its own: pods of this node, namespaces, services and policies always, endpoints
// and the labels of their pods for services that are called (DESIGN 7).
class Cluster {
 public:
  struct Settings {
    ClientConfig api_server;
    std::string node;  // metadata.name
    std::string cluster_domain = "cluster.local";
    // Unlike any other agent's; empty: says nothing to the API server. Whoever leads holds a lease in the namespace of
    // `api_server`.
    std::string identity;
    Election::Times election = {};
  };
  // `publish` is called on the thread of this object, after each change, but not more often than every few
  // milliseconds.
  using Publish = std::function<void(std::shared_ptr<const ClusterView>)>;
  Cluster(Settings settings, Publish publish);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Hosts of the services whose endpoints are wanted, from now on exactly these. Any thread.
  void set_called(std::set<std::string, std::less<>> hosts);
  // What somebody should see at an object. Any thread.
  void announce(Event event);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent::kube
