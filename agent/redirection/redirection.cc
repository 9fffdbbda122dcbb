#include "agent/redirection/redirection.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/datapath/cgroup_visit.h"
#include "agent/pods/host_instances.h"
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

}  // namespace

Redirection::Redirection(std::string cgroup2, Datapath datapath, CgroupTree tree)
    : cgroup2_(std::move(cgroup2)),
      proxy_cgroup_(cgroup2_ + std::string(kProxyFolder)),
      datapath_(std::move(datapath)),
      tree_(std::move(tree)) {}

Result<Redirection> Redirection::open() {
  const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
  if (!cgroup2) {
    return base::fail(base::Errc::unavailable, "no cgroup2 hierarchy is mounted; `fairlead check` says what to do");
  }
  auto datapath = Datapath::open({});
  if (!datapath) return tl::unexpected(datapath.error());
  auto tree = CgroupTree::open(*cgroup2);
  if (!tree) return tl::unexpected(tree.error());
  Redirection redirection(*cgroup2, std::move(*datapath), std::move(*tree));
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

Result<std::vector<base::UniqueFd>> Redirection::make_listeners(const base::IpAddress& loopback,
                                                                std::uint32_t count) const {
  const auto visit = CgroupVisit::enter(cgroup2_, proxy_cgroup_);
  if (!visit) return tl::unexpected(visit.error());
  return agent::make_listeners({loopback, FAIRLEAD_PROXY_PORT}, count);
}

Result<> Redirection::register_listener(int socket) {
  auto registered = datapath_.register_listener(socket);
  if (registered) listeners_.push_back(socket);
  return registered;
}

std::vector<Instance> Redirection::find_instances(const std::vector<config::WorkloadDocument>& workloads) {
  std::vector<Instance> instances;
  for (HostInstance& found : find_host_instances(workloads, tree_.list())) {
    Instance& instance = instances.emplace_back();
    instance.workload = std::move(found.workload);
    instance.pod.name = std::move(found.name);
    instance.pod.name_space = std::move(found.name_space);
    instance.cgroup = std::move(found.cgroup);
    instance.reason = std::move(found.reason);
    if (!instance.reason.empty()) {
      instance.state = InstanceState::skipped;
      continue;
    }
    if (const auto id = cgroup_id(cgroup2_ + instance.cgroup)) {
      instance.pod.cgroup_id = *id;
    } else {
      instance.state = InstanceState::error;
      instance.reason = id.error().message;
    }
  }
  return instances;
}

void Redirection::attach(std::vector<Instance>& instances) {
  std::map<std::string, std::uint64_t> wanted;
  for (Instance& instance : instances) {
    if (instance.state != InstanceState::pending) continue;
    const auto known = attached_.find(instance.cgroup);
    if (known == attached_.end() || known->second != instance.pod.cgroup_id) {
      if (auto attached = datapath_.attach_workload(cgroup2_ + instance.cgroup); !attached) {
        instance.state = InstanceState::error;
        instance.reason = attached.error().message;
        spdlog::error("{} is not redirected: {}", instance.cgroup, instance.reason);
        continue;
      }
      spdlog::info("{} is redirected, as {}.{}", instance.cgroup, instance.workload, instance.pod.name_space);
    }
    instance.state = InstanceState::redirected;
    wanted.emplace(instance.cgroup, instance.pod.cgroup_id);
  }
  for (const auto& [cgroup, id] : attached_) {
    const auto still = wanted.find(cgroup);
    if (still != wanted.end() && still->second == id) continue;
    if (auto detached = datapath_.detach_workload(id); !detached) spdlog::error("{}", detached.error().message);
    spdlog::info("{} is no longer redirected", cgroup);
  }
  attached_ = std::move(wanted);
  if (std::exchange(has_dropped_unclaimed_, true)) return;
  if (auto dropped = datapath_.drop_unclaimed(); !dropped) spdlog::error("{}", dropped.error().message);
}

void Redirection::pass() {
  if (auto stopped = datapath_.set_destinations({}); !stopped) spdlog::error("{}", stopped.error().message);
  if (auto left = datapath_.unregister_listeners(listeners_, kOnTheirWay); !left) {
    spdlog::warn("{}", left.error().message);
  }
  listeners_.clear();
}

void Redirection::remove() {
  if (auto removed = Datapath::remove(); !removed) spdlog::error("{}", removed.error().message);
  // What `fairlead exec` made may still be in use; then these fail, and `fairlead cleanup` removes them later.
  ::rmdir(proxy_cgroup_.c_str());
  ::rmdir((cgroup2_ + std::string(kExecFolder)).c_str());
  ::rmdir((cgroup2_ + std::string(kFolder)).c_str());
}

}  // namespace agent
