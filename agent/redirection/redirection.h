#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "agent/datapath/datapath.h"
#include "agent/node_view.h"
#include "agent/pods/cgroup_tree.h"
#include "agent/pods/pod_network.h"
#include "config/documents.h"
#include "config/model/node_config.h"

namespace agent {

// Which connections of this host go to the proxy: the workloads' cgroups, what is redirected of them, and the proxy's
// listening sockets. On the main thread.
class Redirection {
 public:
  struct Settings {
    std::string cgroup2;         // at or below which the hierarchy is mounted; empty: wherever it is
    std::string proc = "/proc";  // as of PodNetworks
    bool is_exclusive = false;   // as of Datapath
  };
  // Loads the kernel part, or adopts what an earlier agent left; makes the proxy's cgroup. Nothing is redirected yet.
  static base::Result<Redirection> open(const Settings& settings);

  // Moves the proxy into its cgroup.
  base::Result<> place_proxy(pid_t pid) const;
  // Listening sockets of the proxy on the port of redirected connections. `network`: nullptr for our own namespace.
  base::Result<std::vector<base::UniqueFd>> make_listeners(const base::IpAddress& loopback, std::uint32_t count,
                                                           const base::UniqueFd* network) const;
  // Unconnected TCP sockets for connections on a pod's behalf.
  static base::Result<std::vector<base::UniqueFd>> make_sockets(int family, std::uint32_t count,
                                                                const base::UniqueFd& network);
  // Each of them, also one that an earlier agent made.
  base::Result<> register_listener(int socket);
  // Connections that are on their way to them arrive; later ones pass. Before they are closed.
  void unregister_listeners(std::span<const int> sockets);

  // Readable when cgroups came or went; take_changes() says whether they did.
  [[nodiscard]] int fd() const { return tree_.fd(); }
  bool take_changes() { return tree_.take_changes(); }

  // All cgroups there are now, and from now on their changes are events.
  std::vector<std::string> cgroups() { return tree_.list(); }
  // Finds the cgroup id and network namespace of those that are pending, so that the proxy can be told before they are
  // attached. One whose namespace is not there yet stays without; the answer is whether it pays to look again soon.
  bool resolve(std::vector<Instance>& instances, std::span<const std::string> cgroups);
  // Redirects exactly these. Sets their state and reason.
  void attach(std::vector<Instance>& instances);

  // Connections to these go to the proxy, all others pass.
  base::Result<> serve(const std::vector<base::SocketAddress>& destinations) {
    return datapath_.set_destinations(destinations);
  }

  // Whether connections of workloads that pass are counted.
  base::Result<> count_tcp(bool counts) { return datapath_.count_tcp(counts); }

  [[nodiscard]] const Datapath& datapath() const { return datapath_; }

  // New connections pass from now on, and those that are on their way have arrived: listeners can be closed.
  // Established ones go on. Until serve().
  void pass();
  // Removes everything from the kernel.
  void remove();

 private:
  Redirection(std::string cgroup2, Datapath datapath, CgroupTree tree, PodNetworks networks);

  std::string cgroup2_;  // mount
  std::string proxy_cgroup_;
  Datapath datapath_;
  CgroupTree tree_;
  PodNetworks networks_;
  // What was found, as long as the pod has the same containers: a new sandbox has a new namespace.
  struct FoundNetwork {
    std::vector<std::string> containers;
    bool has_run_here = false;  // some container of it, on the node's kernel
    std::shared_ptr<const base::UniqueFd> network;
  };
  std::map<std::string, FoundNetwork> found_networks_;  // by cgroup
  [[nodiscard]] bool runs_here(const Instance& instance, std::span<const std::string> below) const;
  struct Attached {
    std::uint64_t id = 0;
    Exclusions excluded;
    bool operator==(const Attached&) const = default;
  };
  base::Result<> attach(const Instance& instance, const Attached& wanted);
  std::map<std::string, Attached> attached_;  // by cgroup from the mount
  std::vector<int> listeners_;                // registered; not owned
  bool has_dropped_unclaimed_ = false;
};

}  // namespace agent
