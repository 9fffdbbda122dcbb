#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace agent {

// Network namespaces of pods, found through their processes: a namespace has no name that the agent could see.
class PodNetworks {
 public:
  // `cgroup2`: where the hierarchy is mounted. `proc`: where the node's processes are seen: /proc itself, or in a
  // container the node's /proc by hostPath.
  static base::Result<PodNetworks> open(std::string cgroup2, std::string proc);

  // Of the pods whose folders below `cgroup2` these are. A pod is missing from the answer when it has no process
  // outside the node's namespace yet: the first one of a container is still in the node's for some milliseconds.
  [[nodiscard]] std::map<std::string, base::UniqueFd> find(const std::set<std::string>& cgroups) const;

  // Inode number, by which a namespace is told from others.
  static base::Result<ino_t> id(const base::UniqueFd& network);

 private:
  PodNetworks(std::string cgroup2, std::string proc, ino_t node)
      : cgroup2_(std::move(cgroup2)), proc_(std::move(proc)), node_(node) {}
  // Folders of processes, by pod.
  using Processes = std::map<std::string, std::vector<std::string>>;
  [[nodiscard]] Processes members(const std::set<std::string>& cgroups) const;
  [[nodiscard]] Processes scan(const std::set<std::string>& cgroups) const;

  std::string cgroup2_, proc_;
  ino_t node_;  // the node's own namespace
};

// The calling thread is in another network namespace for as long as the visit lasts: what it makes meanwhile belongs
// there for good. Needs CAP_SYS_ADMIN.
class NetworkVisit {
 public:
  static base::Result<NetworkVisit> enter(const base::UniqueFd& network);
  NetworkVisit(NetworkVisit&&) noexcept = default;
  NetworkVisit& operator=(NetworkVisit&&) = delete;
  ~NetworkVisit();

 private:
  explicit NetworkVisit(base::UniqueFd home) : home_(std::move(home)) {}
  base::UniqueFd home_;
};

}  // namespace agent
