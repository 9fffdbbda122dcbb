#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/socket_address.h"
#include "config/model/node_config.h"

// What the numbers in shared memory stand for. Thread-safe: documents and scrapes are on different threads.
namespace agent::telemetry {

class IdentityTable {
 public:
  // Gives ids to every service, workload and endpoint identity of `config` and remembers them. An id is made from the
  // strings it stands for, so that a new agent gives the same ones and the counters of a proxy that went on without an
  // agent keep their names. Within one agent an id never changes its meaning.
  void assign(config::NodeConfig& config);
  // The same for a pod; its id also depends on `cgroup_id`, so a pod that comes back is another one.
  void assign(config::Pod& pod);

  // Who is on this node now. Series of pods and workloads that are not are removed as soon as they were scraped.
  // REQUIRES: all were assigned.
  void set_present(const config::NodeConfig& config, const std::vector<config::Pod>& pods);
  // For endpoints that are pods; others are shown by address.
  void set_endpoint_pod(const base::SocketAddress& address, std::string name_space, std::string pod);

  // Nullptr when nothing has this id.
  [[nodiscard]] std::shared_ptr<const config::WorkloadIdentity> workload(std::uint32_t id) const;
  [[nodiscard]] std::shared_ptr<const config::Service> service(std::uint32_t id) const;  // without VIPs and ports
  [[nodiscard]] std::shared_ptr<const config::Pod> pod(std::uint32_t id) const;
  struct EndpointName {
    std::string name_space = "unknown";
    std::string pod;  // or address:port
  };
  [[nodiscard]] EndpointName endpoint(const base::SocketAddress& address) const;

  [[nodiscard]] bool is_workload_gone(std::uint32_t id) const;
  [[nodiscard]] bool is_pod_gone(std::uint32_t id) const;

 private:
  // One id space of one kind of thing.
  template <typename T>
  struct Space {
    std::unordered_map<std::string, std::uint32_t> ids;  // by the strings, joined
    std::unordered_map<std::uint32_t, std::shared_ptr<const T>> values;
    std::unordered_set<std::uint32_t> present;
    bool has_presence = false;  // nobody is gone before we know who is here
    std::uint32_t assign(std::string strings, T value);
    [[nodiscard]] std::shared_ptr<const T> find(std::uint32_t id) const;
    [[nodiscard]] bool is_gone(std::uint32_t id) const;
  };
  std::uint32_t assign(const config::WorkloadIdentity& identity);

  mutable std::mutex mutex_;
  Space<config::WorkloadIdentity> workloads_;
  Space<config::Service> services_;
  Space<config::Pod> pods_;
  std::unordered_map<base::SocketAddress, EndpointName> endpoints_;
};

}  // namespace agent::telemetry
