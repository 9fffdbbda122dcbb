#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/datapath/datapath.h"
#include "agent/node_view.h"
#include "agent/pods/cgroup_tree.h"
#include "config/documents.h"
#include "config/model/node_config.h"

namespace agent {

// Which connections of this host go to the proxy: the workloads' cgroups, what is redirected of them, and the proxy's
// listening sockets. On the main thread.
class Redirection {
 public:
  // Loads the kernel part, or adopts what an earlier agent left; makes the proxy's cgroup. Nothing is redirected yet.
  static base::Result<Redirection> open();

  // Moves the proxy into its cgroup.
  base::Result<> place_proxy(pid_t pid) const;
  // Listening sockets of the proxy on the port of redirected connections.
  base::Result<std::vector<base::UniqueFd>> make_listeners(const base::IpAddress& loopback, std::uint32_t count) const;
  // Each of them, also one that an earlier agent made.
  base::Result<> register_listener(int socket);

  // Readable when cgroups came or went; take_changes() says whether they did.
  [[nodiscard]] int fd() const { return tree_.fd(); }
  bool take_changes() { return tree_.take_changes(); }

  // The instances there are now; connections of new ones pass until they are attached. Their cgroup ids are known, so
  // that the proxy can be told before.
  std::vector<Instance> find_instances(const std::vector<config::WorkloadDocument>& workloads);
  // Redirects exactly these. Sets their state and reason.
  void attach(std::vector<Instance>& instances);

  // Connections to these go to the proxy, all others pass.
  base::Result<> serve(const std::vector<base::SocketAddress>& destinations) {
    return datapath_.set_destinations(destinations);
  }

  [[nodiscard]] const Datapath& datapath() const { return datapath_; }

  // New connections pass from now on, and those that are on their way have arrived: listeners can be closed.
  // Established ones go on. Until serve().
  void pass();
  // Removes everything from the kernel.
  void remove();

 private:
  Redirection(std::string cgroup2, Datapath datapath, CgroupTree tree);

  std::string cgroup2_;  // mount
  std::string proxy_cgroup_;
  Datapath datapath_;
  CgroupTree tree_;
  std::map<std::string, std::uint64_t> attached_;  // cgroup from the mount: id
  std::vector<int> listeners_;                     // registered; not owned
  bool has_dropped_unclaimed_ = false;
};

}  // namespace agent
