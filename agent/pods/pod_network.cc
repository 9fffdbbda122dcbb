#include "agent/pods/pod_network.h"

#include <fcntl.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/pods/pod_cgroup.h"

namespace agent {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

UniqueFd open_network(const std::string& process) {
  return UniqueFd(::open((process + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

base::Result<PodNetworks> PodNetworks::open(std::string cgroup2, std::string proc) {
  auto node = id(open_network(proc + "/1"));
  // Outside of containers our own namespace is the node's, should its first process be none of our business.
  if (!node && proc == "/proc") node = id(open_network(proc + "/self"));
  if (!node) {
    return base::fail(node.error().code,
                      "read the node's network namespace at " + proc + "/1/ns/net: " + node.error().message);
  }
  return PodNetworks(std::move(cgroup2), std::move(proc), *node);
}

base::Result<ino_t> PodNetworks::id(const UniqueFd& network) {
  struct stat status{};
  if (!network || ::fstat(network.get(), &status) != 0) return base::fail_errno("stat of a network namespace");
  return status.st_ino;
}

std::map<std::string, UniqueFd> PodNetworks::find(const std::set<std::string>& cgroups) const {
  std::map<std::string, UniqueFd> found;
  if (cgroups.empty()) return found;
  // Numbers in cgroup.procs are those of our PID namespace, which a mount of the node's /proc does not follow.
  for (const auto& [cgroup, processes] : proc_ == "/proc" ? members(cgroups) : scan(cgroups)) {
    for (const std::string& process : processes) {
      UniqueFd network = open_network(process);
      if (const auto inode = id(network); !inode || *inode == node_) continue;
      found.emplace(cgroup, std::move(network));
      break;
    }
  }
  return found;
}

PodNetworks::Processes PodNetworks::members(const std::set<std::string>& cgroups) const {
  Processes found;
  for (const std::string& cgroup : cgroups) {
    std::error_code error;
    for (fs::recursive_directory_iterator each(cgroup2_ + cgroup, error), end; !error && each != end;
         each.increment(error)) {
      if (!each->is_directory(error)) continue;
      std::ifstream file(each->path() / "cgroup.procs");
      for (std::string pid; std::getline(file, pid);) found[cgroup].push_back(proc_ + "/" + pid);
    }
  }
  return found;
}

PodNetworks::Processes PodNetworks::scan(const std::set<std::string>& cgroups) const {
  Processes found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(proc_, error)) {
    if (!is_number(entry.path().filename().string())) continue;
    std::ifstream file(entry.path() / "cgroup");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("0::")) continue;  // cgroup2's line
      const auto pod = pod_cgroup(std::string_view(line).substr(3));
      if (pod && cgroups.contains(pod->path)) found[pod->path].push_back(entry.path().string());
    }
  }
  return found;
}

base::Result<NetworkVisit> NetworkVisit::enter(const UniqueFd& network) {
  UniqueFd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home) return base::fail_errno("open /proc/thread-self/ns/net");
  if (::setns(network.get(), CLONE_NEWNET) != 0) return base::fail_errno("enter a pod's network namespace");
  return NetworkVisit(std::move(home));
}

NetworkVisit::~NetworkVisit() {
  if (!home_ || ::setns(home_.get(), CLONE_NEWNET) == 0) return;
  // Whatever this thread makes next would be the pod's.
  spdlog::critical("cannot leave a pod's network namespace");
  std::abort();
}

}  // namespace agent
