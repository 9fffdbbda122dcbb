#include "agent/admin/pages.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>

#include "agent/admin/common.h"
#include "base/build_info.h"
#include "bpf/abi.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

// "client.default/client-1": whose connections they are.
std::string source_of(const NodeView& view, std::uint32_t pod) {
  for (const Instance& instance : view.instances) {
    if (instance.pod.id != pod) continue;
    const std::string workload = instance.workload + "." + instance.pod.name_space;
    return instance.pod.name == instance.workload ? workload : workload + "/" + instance.pod.name;
  }
  return "unknown";
}

const config::Backend* find_backend(const config::NodeConfig& config, const std::string& name) {
  const auto found = std::find_if(config.backends.begin(), config.backends.end(),
                                  [&](const config::Backend& backend) { return backend.name == name; });
  return found == config.backends.end() ? nullptr : &*found;
}

struct Limit {
  const char* name;
  std::uint32_t in_use;
  std::uint32_t most;
};

std::array<Limit, 4> limits_of(const config::NodeConfig& config, const config::BackendStatus& status) {
  static const config::ConnectionPoolPolicy kNone;
  const config::Backend* const backend = find_backend(config, status.backend);
  const config::ConnectionPoolPolicy& pool = backend == nullptr ? kNone : backend->policy.connection_pool;
  return {{{"connections", status.connections, pool.max_connections},
           {"pending", status.pending, pool.max_pending_requests},
           {"requests", status.requests, pool.max_requests},
           {"retries", status.retries, pool.max_retries}}};
}

void add_services(const Snapshot& snapshot, telemetry::NodeState& state) {
  const config::NodeConfig& config = *snapshot.view->config;
  std::map<std::string, telemetry::NodeState::ServiceState> services;
  std::map<std::pair<std::string, std::string>, bool> endpoints;  // service and address: is it ejected for anybody?
  for (const config::BackendStatus& status : *snapshot.backends) {
    const config::Backend* const backend = find_backend(config, status.backend);
    if (backend == nullptr) continue;
    const std::string& host = config.services[backend->service].host;
    telemetry::NodeState::ServiceState& service = services[host];
    service.host = host;
    const auto limits = limits_of(config, status);
    for (std::size_t i = 0; i < limits.size(); ++i) {
      service.in_use[i] += limits[i].in_use;
      service.is_open[i] = service.is_open[i] || limits[i].in_use >= limits[i].most;
    }
    for (const config::EndpointStatus& endpoint : status.endpoints) {
      bool& is_ejected = endpoints[{host, endpoint.address.to_string()}];
      is_ejected = is_ejected || endpoint.is_ejected;
    }
  }
  for (const auto& [endpoint, is_ejected] : endpoints) {
    auto& service = services[endpoint.first];
    ++(is_ejected ? service.ejected : service.healthy);
    if (is_ejected) state.ejected_endpoints.push_back({.service = endpoint.first, .pod = endpoint.second});
  }
  for (auto& [host, service] : services) state.services.push_back(std::move(service));
}

constexpr std::array kKernelRttBoundsUs = FAIRLEAD_RTT_BOUNDS_US;
static_assert(std::ranges::equal(kKernelRttBoundsUs, ::telemetry::kRttBoundSeconds,
                                 [](int us, double seconds) { return us / 1e6 == seconds; }));

telemetry::NodeState::KubeWatch kube_watch(const kube::WatchStatus& watch) {
  telemetry::NodeState::KubeWatch state{.resource = watch.resource, .last_sync = watch.last_contact};
  for (std::size_t i = 0; i < watch.events.size(); ++i) {
    state.events.push_back({kube::kEventTypeNames[i], watch.events[i]});
  }
  for (std::size_t i = 0; i < watch.restarts.size(); ++i) {
    state.restarts.push_back({kube::kRestartReasonNames[i], watch.restarts[i]});
  }
  return state;
}

void add_pod_tcp(const Snapshot& snapshot, telemetry::NodeState& state) {
  namespace row = ::telemetry::row::pod;
  constexpr std::uint64_t kNanosecondsInMicrosecond = 1000;
  for (const Datapath::TcpUse& use : snapshot.tcp) {
    const auto& instances = snapshot.view->instances;
    const auto instance = std::find_if(instances.begin(), instances.end(),
                                       [&](const Instance& each) { return each.pod.cgroup_id == use.cgroup_id; });
    if (instance == instances.end()) continue;
    auto& pod = state.pod_tcp.emplace_back(
        telemetry::NodeState::PodTcp{.name_space = instance->pod.name_space, .pod = instance->pod.name, .counts = {}});
    std::copy(use.rtt.begin(), use.rtt.end(), pod.counts.begin());
    pod.counts[::telemetry::RttHistogram::kSum] = use.rtt_sum_us * kNanosecondsInMicrosecond;
    pod.counts[row::kRetransmits - row::kTcp] = use.retransmits;
    pod.counts[row::kResets - row::kTcp] = use.resets;
    pod.counts[row::kSentBytes - row::kTcp] = use.sent_bytes;
    pod.counts[row::kReceivedBytes - row::kTcp] = use.received_bytes;
  }
}

}  // namespace

std::string clusters_json(const Snapshot& snapshot) {
  json::array clusters;
  for (const config::BackendStatus& status : snapshot.backends.value_or(std::vector<config::BackendStatus>())) {
    json::array endpoints;
    for (const config::EndpointStatus& endpoint : status.endpoints) {
      json::object one{{"address", endpoint.address.to_string()},
                       {"active_requests", endpoint.active_requests},
                       {"connections", endpoint.connections},
                       {"times_ejected", endpoint.times_ejected},
                       {"ejected", nullptr}};
      if (endpoint.is_ejected) {
        json::object ejected{{"reason", endpoint.ejection_reason}};
        if (endpoint.returns_in) ejected["returns_in_ms"] = endpoint.returns_in->count();
        one["ejected"] = std::move(ejected);
      }
      endpoints.emplace_back(std::move(one));
    }
    json::object limits;
    for (const Limit& each : limits_of(*snapshot.view->config, status)) {
      limits[each.name] = {{"in_use", each.in_use}, {"limit", limit(each.most)}};
    }
    clusters.push_back({{"name", status.backend},
                        {"source", source_of(*snapshot.view, status.pod)},
                        {"limits", std::move(limits)},
                        {"pending_overflow", status.pending_overflow},
                        {"retry_overflow", status.retry_overflow},
                        {"ejections_suppressed", status.ejections_suppressed},
                        {"endpoints", std::move(endpoints)}});
  }
  return json::serialize(json::object{{"clusters", std::move(clusters)}}) + "\n";
}

std::string clusters_text(const Snapshot& snapshot) {
  std::string page;
  const auto line = [&page](const std::string& prefix, std::string_view fact, const std::string& value) {
    page.append(prefix).append("::").append(fact).append("::").append(value).push_back('\n');
  };
  for (const config::BackendStatus& status : snapshot.backends.value_or(std::vector<config::BackendStatus>())) {
    line(status.backend, "source", source_of(*snapshot.view, status.pod));
    for (const Limit& each : limits_of(*snapshot.view->config, status)) {
      const bool is_unlimited = each.most == config::ConnectionPoolPolicy::kUnlimited;
      line(status.backend, each.name,
           std::to_string(each.in_use) + " of " + (is_unlimited ? "unlimited" : std::to_string(each.most)));
    }
    line(status.backend, "pending_overflow", std::to_string(status.pending_overflow));
    line(status.backend, "retry_overflow", std::to_string(status.retry_overflow));
    for (const config::EndpointStatus& endpoint : status.endpoints) {
      const std::string prefix = status.backend + "::" + endpoint.address.to_string();
      line(prefix, "cx_active", std::to_string(endpoint.connections));
      line(prefix, "rq_active", std::to_string(endpoint.active_requests));
      line(prefix, "health_flags", endpoint.is_ejected ? "/failed_outlier_check" : "healthy");
      if (!endpoint.is_ejected) continue;
      line(prefix, "ejected_by", endpoint.ejection_reason);
      if (endpoint.returns_in) line(prefix, "returns_in_ms", std::to_string(endpoint.returns_in->count()));
    }
  }
  return page;
}

std::string not_ready(const Snapshot& snapshot) {
  const NodeView& view = *snapshot.view;
  if (!view.is_proxy_up) return "the proxy does not run, or does not answer\n";
  if (view.proxy_generation == 0) return "the proxy has no configuration yet\n";
  if (!view.has_listeners) return "nothing is listening for redirected connections\n";
  return "";
}

telemetry::NodeState node_state(const Snapshot& snapshot) {
  const NodeView& view = *snapshot.view;
  telemetry::NodeState state;
  state.version = base::kVersion;
  state.kernel = kernel_release();
  state.is_proxy_up = view.is_proxy_up;
  state.proxy_restarts = view.proxy_restarts;
  state.config_generation = view.config->generation;
  state.proxy_config_generation = view.proxy_generation;
  state.config_last_success = view.last_success;
  state.memory_budget_bytes[static_cast<std::size_t>(telemetry::MemoryPool::buffers)] =
      view.config->settings.node_buffer_bytes;
  std::map<std::pair<std::string, std::string>, std::uint64_t> policies;
  for (const config::DocumentStatus& document : view.documents) {
    ++policies[{document.id.kind, std::string(config::to_string(document.state))}];
  }
  for (const auto& [policy, count] : policies) state.policies.push_back({policy.first, policy.second, count});
  for (const kube::WatchStatus& watch : view.watches) state.kube_watches.push_back(kube_watch(watch));
  for (const auto& reject : view.rejects) state.policy_rejects.push_back({reject.kind, reject.reason, reject.count});
  for (const Instance& instance : view.instances) {
    ++state.pods[static_cast<std::size_t>(instance.state)];
    state.pod_infos.push_back({instance.pod.name_space, instance.pod.name, instance.workload, instance.ip});
  }
  for (const Datapath::Verdict& verdict : snapshot.verdicts) {
    state.redirects.push_back({std::string(verdict.verdict), std::string(verdict.reason), verdict.count});
  }
  for (const Datapath::MapUse& map : snapshot.maps) {
    state.maps.push_back({std::string(map.name), map.entries, map.max_entries});
  }
  add_pod_tcp(snapshot, state);
  for (const Datapath::ProgramUse& program : snapshot.programs) {
    state.programs.push_back({std::string(program.name), program.is_attached});
  }
  if (snapshot.backends) add_services(snapshot, state);
  state.agent_loop_lag = view.loop_lag;
  state.agent_pid = ::getpid();
  state.proxy_pid = view.proxy_pid;
  return state;
}

}  // namespace agent::admin
