#include "agent/redirection/redirection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

#include "agent/datapath/cgroup_visit.h"
#include "agent/pods/host_instances.h"
#include "agent/pods/own_kernel.h"
#include "agent/proxy_supervisor/listeners.h"
#include "base/mounts.h"
#include "bpf/abi.h"

namespace agent {
namespace {

namespace fs = std::filesystem;
using base::Result;

constexpr std::chrono::milliseconds kOnTheirWay{100};
constexpr std::string_view kFolder = "/fairlead";
constexpr std::string_view kProxyFolder = "/fairlead/proxy";

// In a container, cgroups have other names than on the node.
Result<> enter_node_cgroup_namespace(const std::string& proc) {
  const std::string path = proc + "/1/ns/cgroup";
  const base::UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return base::fail_errno("open " + path);
  if (::setns(space.get(), CLONE_NEWCGROUP) != 0) return base::fail_errno("enter the node's cgroup namespace");
  return {};
}

}  // namespace

Redirection::Redirection(std::string cgroup2, Datapath datapath, CgroupTree tree, PodNetworks networks)
    : cgroup2_(std::move(cgroup2)),
      proxy_cgroup_(cgroup2_ + std::string(kProxyFolder)),
      datapath_(std::move(datapath)),
      tree_(std::move(tree)),
      networks_(std::move(networks)) {}

Result<Redirection> Redirection::open(const Settings& settings) {
  if (settings.proc != "/proc") {
    if (auto entered = enter_node_cgroup_namespace(settings.proc); !entered) return tl::unexpected(entered.error());
  }
  const auto cgroup2 = base::find_cgroup2(base::read_mountinfo(), settings.cgroup2);
  if (!cgroup2) {
    return base::fail(base::Errc::unavailable, "no cgroup2 hierarchy is mounted" +
                                                   (settings.cgroup2.empty() ? "" : " at " + settings.cgroup2) +
                                                   "; `fairlead check` says what to do");
  }
  auto datapath = Datapath::open({.is_exclusive = settings.is_exclusive});
  if (!datapath) return tl::unexpected(datapath.error());
  auto tree = CgroupTree::open(*cgroup2);
  if (!tree) return tl::unexpected(tree.error());
  auto networks = PodNetworks::open(*cgroup2, settings.proc);
  if (!networks) return tl::unexpected(networks.error());
  Redirection redirection(*cgroup2, std::move(*datapath), std::move(*tree), std::move(*networks));
  std::error_code error;
  fs::create_directories(redirection.proxy_cgroup_, error);
  if (error) return base::fail_errno("make the cgroup " + redirection.proxy_cgroup_, error.value());
  if (auto attached = redirection.datapath_.attach_proxy(redirection.proxy_cgroup_); !attached) {
    return tl::unexpected(attached.error());
  }
  return redirection;
}

Result<> Redirection::place_proxy(pid_t pid) const {
  const std::string path = proxy_cgroup_ + "/cgroup.procs";
  std::ofstream file(path);
  file << pid << std::flush;
  if (!file) return base::fail_errno("write the proxy's process to " + path);
  return {};
}

Result<std::vector<base::UniqueFd>> Redirection::make_listeners(const base::IpAddress& loopback, std::uint32_t count,
                                                                const base::UniqueFd* network) const {
  const auto visit = CgroupVisit::enter(cgroup2_, proxy_cgroup_);
  if (!visit) return tl::unexpected(visit.error());
  std::optional<NetworkVisit> abroad;
  if (network != nullptr) {
    auto entered = NetworkVisit::enter(*network);
    if (!entered) return tl::unexpected(entered.error());
    abroad.emplace(std::move(*entered));
  }
  return agent::make_listeners({loopback, FAIRLEAD_PROXY_PORT}, count);
}

Result<std::vector<base::UniqueFd>> Redirection::make_sockets(int family, std::uint32_t count,
                                                              const base::UniqueFd& network) {
  const auto abroad = NetworkVisit::enter(network);
  if (!abroad) return tl::unexpected(abroad.error());
  std::vector<base::UniqueFd> sockets;
  for (std::uint32_t i = 0; i < count; ++i) {
    base::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!socket) return base::fail_errno("make a socket in a pod's network namespace");
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

Result<> Redirection::register_listener(int socket) {
  auto registered = datapath_.register_listener(socket);
  if (registered) listeners_.push_back(socket);
  return registered;
}

void Redirection::unregister_listeners(std::span<const int> sockets) {
  if (auto left = datapath_.unregister_listeners(sockets, kOnTheirWay); !left) spdlog::warn("{}", left.error().message);
  std::erase_if(listeners_, [&](int each) { return std::find(sockets.begin(), sockets.end(), each) != sockets.end(); });
}

bool Redirection::runs_here(const Instance& instance, std::span<const std::string> below) const {
  return !has_own_kernel(instance.running_containers, below, [this](const std::string& cgroup) {
    std::ifstream events(cgroup2_ + cgroup + "/cgroup.events");
    for (std::string line; std::getline(events, line);) {
      if (line == "populated 1") return true;
    }
    return false;
  });
}

bool Redirection::resolve(std::vector<Instance>& instances, std::span<const std::string> cgroups) {
  std::map<std::string, FoundNetwork> found;
  std::set<std::string> missing;
  std::vector<std::string_view> sorted(cgroups.begin(), cgroups.end());  // those of one pod stand together
  std::sort(sorted.begin(), sorted.end());
  for (Instance& instance : instances) {
    if (instance.state != InstanceState::pending || instance.cgroup.empty()) continue;
    if (const auto id = cgroup_id(cgroup2_ + instance.cgroup)) {
      instance.pod.cgroup_id = *id;
    } else {
      instance.state = InstanceState::error;
      instance.reason = id.error().message;
      continue;
    }
    if (!instance.pod.has_own_network) continue;
    FoundNetwork& now = found[instance.cgroup];
    const std::string folder = instance.cgroup + "/";
    for (auto at = std::lower_bound(sorted.begin(), sorted.end(), folder);
         at != sorted.end() && at->starts_with(folder); ++at) {
      now.containers.emplace_back(*at);
    }
    const auto known = found_networks_.find(instance.cgroup);
    if (known != found_networks_.end()) {
      now.has_run_here = known->second.has_run_here;
      if (known->second.containers == now.containers) now.network = known->second.network;
    }
    // Containers of the node's usual runtime are not asked: what is known of one that has just ended is wrong for a
    // moment.
    if (!instance.runtime_class.empty() && !now.has_run_here && !instance.running_containers.empty()) {
      now.has_run_here = runs_here(instance, now.containers);
      if (!now.has_run_here) {
        instance.state = InstanceState::skipped;
        instance.is_unwanted = true;
        instance.reason = "its containers run on a kernel of their own (runtime class " + instance.runtime_class +
                          "): their connections are not the node's to redirect";
        continue;
      }
    }
    if (!now.network && !now.containers.empty()) missing.insert(instance.cgroup);
  }
  for (auto& [cgroup, network] : networks_.find(missing)) {
    found[cgroup].network = std::make_shared<const base::UniqueFd>(std::move(network));
  }
  found_networks_ = std::move(found);
  bool should_look_again = false;
  for (Instance& instance : instances) {
    const bool has_folder = found_networks_.contains(instance.cgroup);
    if (instance.state != InstanceState::pending || !has_folder) continue;
    instance.network = found_networks_[instance.cgroup].network;
    if (instance.network) continue;
    instance.reason = "its network namespace is not there yet";
    should_look_again = should_look_again || missing.contains(instance.cgroup);
  }
  return should_look_again;
}

Result<> Redirection::attach(const Instance& instance, const Attached& wanted) {
  const auto known = attached_.find(instance.cgroup);
  const bool is_attached = known != attached_.end() && known->second.id == wanted.id;
  if (is_attached && known->second.excluded == wanted.excluded) return {};
  if (auto excluded = datapath_.exclude(wanted.id, wanted.excluded); !excluded) return excluded;
  if (is_attached) return {};
  if (auto attached = datapath_.attach_workload(cgroup2_ + instance.cgroup); !attached) {
    return tl::unexpected(attached.error());
  }
  spdlog::info("{} is redirected, as {}.{}", instance.cgroup, instance.workload, instance.pod.name_space);
  return {};
}

void Redirection::attach(std::vector<Instance>& instances) {
  std::map<std::string, Attached> wanted;
  for (Instance& instance : instances) {
    if (instance.state != InstanceState::pending || !instance.is_found()) continue;
    Attached to{.id = instance.pod.cgroup_id, .excluded = instance.excluded};
    if (auto attached = attach(instance, to); !attached) {
      instance.state = InstanceState::error;
      instance.reason = attached.error().message;
      spdlog::error("{} is not redirected: {}", instance.cgroup, instance.reason);
      continue;
    }
    instance.state = InstanceState::redirected;
    wanted.emplace(instance.cgroup, std::move(to));
  }
  for (const auto& [cgroup, was] : attached_) {
    const auto still = wanted.find(cgroup);
    if (still != wanted.end() && still->second.id == was.id) continue;
    if (auto detached = datapath_.detach_workload(was.id); !detached) spdlog::error("{}", detached.error().message);
    spdlog::info("{} is no longer redirected", cgroup);
  }
  attached_ = std::move(wanted);
  if (std::exchange(has_dropped_unclaimed_, true)) return;
  if (auto dropped = datapath_.drop_unclaimed(); !dropped) spdlog::error("{}", dropped.error().message);
}

void Redirection::pass() {
  if (auto stopped = datapath_.set_destinations({}); !stopped) spdlog::error("{}", stopped.error().message);
  unregister_listeners(std::vector(listeners_));
}

void Redirection::remove() {
  if (auto removed = Datapath::remove(); !removed) spdlog::error("{}", removed.error().message);
  // What `fairlead exec` made may still be in use; then these fail, and `fairlead cleanup` removes them later.
  ::rmdir(proxy_cgroup_.c_str());
  ::rmdir((cgroup2_ + std::string(kExecFolder)).c_str());
  ::rmdir((cgroup2_ + std::string(kFolder)).c_str());
}

}  // namespace agent
