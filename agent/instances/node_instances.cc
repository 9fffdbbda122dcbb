#include "agent/instances/node_instances.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "agent/pods/host_instances.h"
#include "agent/proxy_supervisor/listeners.h"

namespace agent {
namespace {

using base::Result;

// A pod's first process is about to enter its network namespace.
constexpr std::chrono::milliseconds kLookAgainSoon{2}, kLookAgainLate{100};
constexpr std::uint64_t kPodListener = std::uint64_t{1} << 63U;  // ids of listeners in pods
constexpr std::uint32_t kMostSockets = 200;                      // fit into one message

std::uint32_t workload_index(const config::NodeConfig& config, const Instance& instance) {
  const auto found = std::find_if(config.workloads.begin(), config.workloads.end(), [&](const config::Workload& each) {
    return each.name == instance.workload && each.name_space == instance.pod.name_space;
  });
  return static_cast<std::uint32_t>(found - config.workloads.begin());
}

std::vector<Instance> host_instances(const std::vector<config::WorkloadDocument>& workloads,
                                     std::span<const std::string> cgroups) {
  std::vector<Instance> instances;
  for (HostInstance& found : find_host_instances(workloads, cgroups)) {
    Instance& instance = instances.emplace_back();
    instance.workload = std::move(found.workload);
    instance.pod.name = std::move(found.name);
    instance.pod.name_space = std::move(found.name_space);
    instance.cgroup = std::move(found.cgroup);
    instance.reason = std::move(found.reason);
    if (!instance.reason.empty()) instance.state = InstanceState::skipped;
  }
  return instances;
}

}  // namespace

NodeInstances::NodeInstances(boost::asio::io_context& context, const Options& options, Redirection* redirection,
                             ProxySupervisor& supervisor, telemetry::IdentityTable& identities, std::uint32_t workers,
                             std::function<void()> look_again)
    : options_(options),
      redirection_(redirection),
      supervisor_(supervisor),
      identities_(identities),
      look_again_(std::move(look_again)),
      workers_(workers),
      timer_(context) {}

void NodeInstances::update(const Sources& sources) {
  if (is_stopped_) return;
  const bool should_look_again = find(sources);
  tell_proxy(sources.config);
  if (!redirection_) return;
  sync_pod_listeners();
  redirection_->attach(instances_);
  expect_more(should_look_again);
}

std::vector<Instance> NodeInstances::trial_instances() const {
  Instance instance;
  instance.workload = instance.pod.name = options_.as_name;
  instance.pod.name_space = options_.as_namespace;
  instance.state = InstanceState::redirected;
  return {instance};
}

bool NodeInstances::find(const Sources& sources) {
  if (!redirection_) {
    instances_ = trial_instances();
    return false;
  }
  const std::vector<std::string> cgroups = redirection_->cgroups();
  instances_ = host_instances(sources.host_workloads, cgroups);
  for (Instance& pod : find_pod_instances(sources.pods, cgroups)) {
    pod.pod.workload += sources.first_pod_workload;
    instances_.push_back(std::move(pod));
  }
  return redirection_->resolve(instances_, cgroups);
}

void NodeInstances::tell_proxy(const config::NodeConfig& config) {
  std::vector<config::Pod> pods;
  for (Instance& instance : instances_) {
    if (!instance.pod.has_own_network) instance.pod.workload = workload_index(config, instance);
    identities_.assign(instance.pod);
    if (!redirection_ || (instance.state == InstanceState::pending && instance.is_found())) {
      pods.push_back(instance.pod);
    }
  }
  identities_.set_present(config, pods);
  supervisor_.set_pods(std::move(pods));
}

// Listeners in the namespaces of the pods that are captured, before their connections come; those of pods that are not
// any more go after the last connection that was on its way.
void NodeInstances::sync_pod_listeners() {
  std::set<std::uint64_t> wanted;
  for (Instance& instance : instances_) {
    if (instance.state != InstanceState::pending || !instance.network) continue;
    const auto network_id = PodNetworks::id(*instance.network);
    if (!network_id) continue;
    for (const char* const loopback : {"127.0.0.1", "::1"}) {
      const base::IpAddress address = *base::IpAddress::parse(loopback);
      const std::uint64_t id = kPodListener | (*network_id << 1U) | (address.is_v4() ? 0U : 1U);
      wanted.insert(id);
      if (pod_listeners_.contains(id)) continue;
      auto added =
          supervisor_.add_listener(id, std::nullopt, instance.pod.id, [this, address, network = instance.network] {
            return redirection_->make_listeners(address, workers_, network.get());
          });
      if (!added && address.is_v4()) {  // not every pod has IPv6
        instance.state = InstanceState::error;
        instance.reason = added.error().message;
        spdlog::error("{}/{}: {}", instance.pod.name_space, instance.pod.name, instance.reason);
      }
    }
  }
  for (const std::uint64_t id : pod_listeners_) {
    if (wanted.contains(id)) continue;
    redirection_->unregister_listeners(supervisor_.listening_sockets(id));
    supervisor_.remove_listener(id);
  }
  pod_listeners_ = std::move(wanted);
}

void NodeInstances::expect_more(bool should_look_again) {
  look_again_after_ = should_look_again ? std::clamp(look_again_after_ * 2, kLookAgainSoon, kLookAgainLate)
                                        : std::chrono::milliseconds(0);
  if (!should_look_again) return;
  timer_.expires_after(look_again_after_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look_again_();
  });
}

Result<> NodeInstances::add_shared_listeners() {
  std::uint64_t id = 0;
  for (const TrialListener& listener : options_.listeners) {
    const channel::FixedDestination fixed{.original_destination = listener.destination,
                                          .pod = instances_.front().pod.id,
                                          .passthrough = options_.passthrough};
    auto added = supervisor_.add_listener(++id, fixed, std::nullopt, [address = listener.listen, count = workers_] {
      return make_listeners(address, count);
    });
    if (!added) return added;
  }
  if (!redirection_ || options_.is_kubernetes) return {};
  for (const char* const loopback : {"127.0.0.1", "::1"}) {
    const base::IpAddress address = *base::IpAddress::parse(loopback);
    auto added = supervisor_.add_listener(++id, std::nullopt, std::nullopt, [this, address] {
      return redirection_->make_listeners(address, workers_, nullptr);
    });
    if (added) continue;
    if (address.is_v4()) return added;
    spdlog::warn("{}; connections to IPv6 services pass", added.error().message);
  }
  return {};
}

void NodeInstances::send_sockets(const channel::NeedSockets& needed) {
  const auto pod = std::find_if(instances_.begin(), instances_.end(), [&](const Instance& instance) {
    return instance.pod.id == needed.pod && instance.network;
  });
  if (pod == instances_.end()) return;  // gone meanwhile
  auto sockets =
      Redirection::make_sockets(needed.is_v6 ? AF_INET6 : AF_INET, std::min(needed.count, kMostSockets), *pod->network);
  if (!sockets) {
    spdlog::error("{}/{}: {}", pod->pod.name_space, pod->pod.name, sockets.error().message);
    return;
  }
  supervisor_.send_sockets(
      {.pod = needed.pod, .worker = needed.worker, .is_v6 = needed.is_v6, .sockets = std::move(*sockets)});
}

void NodeInstances::stop() {
  is_stopped_ = true;
  timer_.cancel();
}

}  // namespace agent
