#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/kube/cluster.h"
#include "agent/kube/documents.h"
#include "agent/kube/objects.h"
#include "config/object_store.h"

namespace agent::kube {

// What has been read of a cluster, and what follows from it. Pure: reflectors feed it, nobody is asked.
class ClusterState {
 public:
  using Name = std::pair<std::string, std::string>;  // namespace, name
  struct Settings {
    std::string node;
    std::string cluster_domain;
  };
  explicit ClusterState(Settings settings);

  // --- always known ---
  void upsert(Pod pod);  // of this node
  void upsert(Namespace name_space);
  void upsert(Service service);
  void set_zone(std::string zone) { place_.zone = std::move(zone); }
  void erase_pod(const Name& name) { pods_.erase(name); }
  void erase_namespace(const std::string& name) { namespaces_.erase(name); }
  void erase_service(const Name& name) { services_.erase(name); }
  [[nodiscard]] config::ObjectStore& policies() { return policies_; }

  // --- of one service that is called ---
  struct Endpoints {
    Slices slices;
    std::map<std::string, ObjectMeta, std::less<>> pods;
    bool has_slices = false, has_pods = false;  // all of them have been read once
  };
  Endpoints& endpoints(const Name& service) { return called_[service]; }
  void forget_endpoints(const Name& service) { called_.erase(service); }

  // The name of the service with this host; both empty when there is none.
  [[nodiscard]] Name service_of(std::string_view host) const;
  [[nodiscard]] const Service* find_service(const Name& name) const;

  // Documents and pods as they are now.
  [[nodiscard]] ClusterView view() const;

 private:
  [[nodiscard]] PodFacts facts(const Pod& pod) const;
  [[nodiscard]] std::string host_of(const Name& service) const;
  void add_pods(ClusterView& view) const;
  void add_services(ClusterView& view) const;

  Settings settings_;
  NodePlace place_;
  std::map<Name, Pod> pods_;
  std::map<std::string, Labels> namespaces_;
  std::map<Name, Service> services_;
  std::map<Name, Endpoints> called_;
  config::ObjectStore policies_;
};

}  // namespace agent::kube
