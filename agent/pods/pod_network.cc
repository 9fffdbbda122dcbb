#include "agent/pods/pod_network.h"

#include <fcntl.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agent {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

UniqueFd open_network(const std::string& process) {
  return UniqueFd(::open((process + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
}

// "0" stands for a process of a PID namespace that we do not see.
bool read_members(const fs::path& folder, std::vector<std::string>& pids) {
  std::ifstream file(folder / "cgroup.procs");
  bool are_all_visible = true;
  for (std::string line; std::getline(file, line);) {
    if (line == "0") {
      are_all_visible = false;
    } else {
      pids.push_back(line);
    }
  }
  return are_all_visible;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

base::Result<PodNetworks> PodNetworks::open(std::string cgroup2, std::string proc) {
  const auto node = id(open_network(proc + "/1"));
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

base::Result<UniqueFd> PodNetworks::find(const std::string& cgroup) const {
  for (const std::string& process : processes(cgroup)) {
    UniqueFd network = open_network(process);
    if (const auto inode = id(network); inode && *inode != node_) return network;
  }
  return base::fail(base::Errc::unavailable, "no process of it is in a network namespace of its own yet");
}

// Folders of the pod's processes.
std::vector<std::string> PodNetworks::processes(const std::string& cgroup) const {
  // Numbers in cgroup.procs are those of our PID namespace, which a mount of the node's /proc does not follow.
  if (proc_ != "/proc") return processes_by_scan(cgroup);
  std::vector<std::string> found, pids;
  const fs::path root = cgroup2_ + cgroup;
  bool are_all_visible = read_members(root, pids);
  std::error_code error;
  for (fs::recursive_directory_iterator each(root, error), end; !error && each != end; each.increment(error)) {
    if (each->is_directory(error)) are_all_visible = read_members(each->path(), pids) && are_all_visible;
  }
  if (!are_all_visible) return processes_by_scan(cgroup);
  for (const std::string& pid : pids) found.push_back(proc_ + "/" + pid);
  return found;
}

std::vector<std::string> PodNetworks::processes_by_scan(const std::string& cgroup) const {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(proc_, error)) {
    if (!is_number(entry.path().filename().string())) continue;
    std::ifstream file(entry.path() / "cgroup");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("0::")) continue;  // cgroup2's line
      const std::string_view path = std::string_view(line).substr(3);
      if (path == cgroup || (path.starts_with(cgroup) && path[cgroup.size()] == '/')) {
        found.push_back(entry.path().string());
      }
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
