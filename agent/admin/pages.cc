#include "agent/admin/pages.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "base/build_info.h"
#include "bpf/abi.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

std::string_view to_string(config::Semantics semantics) {
  return semantics == config::Semantics::legacy ? "legacy" : "istio";
}

std::string_view to_string(config::LoadBalancer load_balancer) {
  switch (load_balancer) {
    case config::LoadBalancer::least_request:
      return "LEAST_REQUEST";
    case config::LoadBalancer::round_robin:
      return "ROUND_ROBIN";
    case config::LoadBalancer::random:
      return "RANDOM";
  }
  return "";
}

json::value limit(std::uint32_t value) {
  return value == config::ConnectionPoolPolicy::kUnlimited ? json::value(nullptr) : json::value(value);
}

// Those of a document that does not even say its name are known by their file.
json::array findings_of(const NodeView& view, const std::string& document, const std::string& file) {
  json::array all;
  for (const config::Finding& finding : view.findings) {
    if (finding.document != document || (document.empty() && finding.file != file)) continue;
    all.push_back({{"severity", config::to_string(finding.severity)},
                   {"code", finding.code},
                   {"file", finding.file},
                   {"line", finding.line},
                   {"column", finding.column},
                   {"path", finding.path},
                   {"message", finding.message}});
  }
  return all;
}

json::array policies(const NodeView& view) {
  json::array all;
  std::set<std::string> told;  // files of nameless documents: the first one has the findings of all
  for (const config::DocumentStatus& document : view.documents) {
    const bool is_nameless = document.id.name.empty();
    const bool is_told = is_nameless && !told.insert(document.file).second;
    const std::string name = is_nameless ? "" : document.id.to_string();
    all.push_back({{"kind", document.id.kind},
                   {"namespace", document.id.name_space},
                   {"name", document.id.name},
                   {"file", document.file},
                   {"state", config::to_string(document.state)},
                   {"in_force", document.is_in_force},
                   {"findings", is_told ? json::array() : findings_of(view, name, document.file)}});
  }
  return all;
}

// Of the API server: as of when what is known is.
json::array watches(const NodeView& view) {
  json::array all;
  for (const kube::WatchStatus& watch : view.watches) {
    const auto since = watch.last_contact.value_or(base::WallTime()).time_since_epoch();
    const double seconds = std::chrono::duration<double>(since).count();
    all.push_back({{"resource", watch.resource},
                   {"synced", watch.is_synced},
                   {"error", watch.error},
                   {"last_contact", watch.last_contact ? json::value(seconds) : nullptr},
                   {"lists", watch.lists},
                   {"failures", watch.failures},
                   {"bytes_received", watch.bytes_received}});
  }
  return all;
}

json::array services(const config::NodeConfig& config) {
  json::array all;
  for (const config::Service& service : config.services) {
    json::array vips, ports;
    for (const base::IpAddress& vip : service.vips) vips.emplace_back(vip.to_string());
    for (const config::ServicePort& port : service.ports) {
      ports.push_back({{"number", port.number},
                       {"name", port.name},
                       {"protocol", port.protocol == config::Protocol::http ? "http" : "tcp"}});
    }
    all.push_back({{"host", service.host},
                   {"name", service.name},
                   {"namespace", service.name_space},
                   {"vips", std::move(vips)},
                   {"ports", std::move(ports)}});
  }
  return all;
}

json::array workloads(const NodeView& view) {
  json::array all;
  for (const config::Workload& workload : view.config->workloads) {
    json::array instances;
    for (const Instance& instance : view.instances) {
      if (instance.workload != workload.name || instance.pod.name_space != workload.name_space) continue;
      // Until the proxy enforces something, connections pass.
      const bool is_waiting = instance.state == InstanceState::redirected && view.proxy_generation == 0;
      const auto state = is_waiting ? InstanceState::pending : instance.state;
      instances.push_back({{"name", instance.pod.name},
                           {"cgroup", instance.cgroup},
                           {"state", telemetry::kPodStateNames[static_cast<std::size_t>(state)]},
                           {"reason", is_waiting ? "the proxy is not ready" : instance.reason}});
    }
    json::object labels;
    for (const auto& [name, value] : workload.labels) labels[name] = value;
    all.push_back({{"namespace", workload.name_space},
                   {"name", workload.name},
                   {"labels", std::move(labels)},
                   {"route_table", workload.route_table},
                   {"instances", std::move(instances)}});
  }
  return all;
}

json::object route(const config::NodeConfig& config, const config::Route& route) {
  json::array destinations;
  for (const config::Destination& destination : route.destinations) {
    const bool is_known = destination.backend < config.backends.size();
    destinations.push_back({{"backend", is_known ? json::value(config.backends[destination.backend].name) : nullptr},
                            {"weight", destination.weight}});
  }
  json::object all{{"name", route.name}, {"from", route.origin}, {"destinations", std::move(destinations)}};
  all["timeout_ms"] = route.timeout ? json::value(route.timeout->count()) : nullptr;
  all["retries"] = {{"attempts", route.retry.max_retries},
                    {"per_try_timeout_ms",
                     route.retry.per_try_timeout ? json::value(route.retry.per_try_timeout->count()) : nullptr}};
  return all;
}

json::array route_tables(const config::NodeConfig& config) {
  json::array all;
  for (const config::RouteTable& table : config.route_tables) {
    json::array hosts;
    for (const config::PortRoutes& port : table.ports) {
      for (const config::VirtualHost& host : port.virtual_hosts) {
        json::array domains(host.domains.begin(), host.domains.end()), routes;
        for (const config::Route& each : host.routes) routes.emplace_back(route(config, each));
        hosts.push_back(
            {{"port", port.port}, {"name", host.name}, {"domains", std::move(domains)}, {"routes", std::move(routes)}});
      }
    }
    const bool allows_any = table.unknown_hosts == config::UnknownHostPolicy::allow_any;
    all.push_back({{"virtual_hosts", std::move(hosts)}, {"unknown_hosts", allows_any ? "ALLOW_ANY" : "REGISTRY_ONLY"}});
  }
  return all;
}

json::array backends(const config::NodeConfig& config) {
  json::array all;
  for (const config::Backend& backend : config.backends) {
    json::array endpoints;
    for (const config::Endpoint& endpoint : backend.endpoints) {
      endpoints.push_back({{"address", endpoint.address.to_string()},
                           {"workload", endpoint.identity.workload},
                           {"version", endpoint.identity.version},
                           {"weight", endpoint.weight}});
    }
    const config::ConnectionPoolPolicy& pool = backend.policy.connection_pool;
    json::value outlier = nullptr;
    if (const auto& policy = backend.policy.outlier) {
      outlier = {{"consecutive_5xx", policy->consecutive_5xx},
                 {"consecutive_gateway", policy->consecutive_gateway},
                 {"interval_ms", policy->interval.count()},
                 {"base_ejection_time_ms", policy->base_ejection_time.count()},
                 {"max_ejection_percent", policy->max_ejection_percent},
                 {"min_health_percent", policy->min_health_percent}};
    }
    all.push_back({{"name", backend.name},
                   {"load_balancer", to_string(backend.policy.load_balancer)},
                   {"limits",
                    {{"connections", limit(pool.max_connections)},
                     {"pending", limit(pool.max_pending_requests)},
                     {"requests", limit(pool.max_requests)},
                     {"retries", limit(pool.max_retries)}}},
                   {"outlier_detection", std::move(outlier)},
                   {"endpoints", std::move(endpoints)}});
  }
  return all;
}

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

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

}  // namespace

std::string config_dump(const Snapshot& snapshot) {
  const NodeView& view = *snapshot.view;
  std::uint64_t restarts = 0;
  for (const std::uint64_t count : view.proxy_restarts) restarts += count;
  json::object page{{"version", base::kVersion},
                    {"generation", view.config->generation},
                    {"semantics", to_string(view.settings.semantics)},
                    {"proxy",
                     {{"up", view.is_proxy_up},
                      {"pid", view.proxy_pid},
                      {"generation", view.proxy_generation},
                      {"restarts", restarts}}},
                    {"workloads", workloads(view)},
                    {"services", services(*view.config)},
                    {"policies", policies(view)},
                    {"route_tables", route_tables(*view.config)},
                    {"backends", backends(*view.config)}};
  if (!view.watches.empty()) page["watches"] = watches(view);
  return json::serialize(page) + "\n";
}

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
  if (!view.is_proxy_up) return "the proxy is not running\n";
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
