#include <boost/json.hpp>
#include <set>

#include "agent/admin/common.h"
#include "agent/admin/pages.h"
#include "base/build_info.h"
#include "config/istio/retry_settings.h"

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

// Until the proxy enforces something, connections pass.
json::object instance_state(const NodeView& view, const Instance& instance) {
  const bool is_waiting = instance.state == InstanceState::redirected && view.proxy_generation == 0;
  const auto state = is_waiting ? InstanceState::pending : instance.state;
  return {{"name", instance.pod.name},
          {"cgroup", instance.cgroup},
          {"state", telemetry::kPodStateNames[static_cast<std::size_t>(state)]},
          {"reason", is_waiting ? "the proxy is not ready" : instance.reason}};
}

json::array workloads(const NodeView& view) {
  json::array all;
  for (std::uint32_t index = 0; index < view.config->workloads.size(); ++index) {
    const config::Workload& workload = view.config->workloads[index];
    json::array instances;
    for (const Instance& instance : view.instances) {
      // Workloads that differ in their labels may have the same name; a pod that is not captured is of none.
      if (instance.pod.workload != index || instance.workload != workload.name ||
          instance.pod.name_space != workload.name_space) {
        continue;
      }
      instances.emplace_back(instance_state(view, instance));
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

// All pods of the node, or all instances on a host: also those that are of no workload here.
json::array pods(const NodeView& view) {
  json::array all;
  for (const Instance& instance : view.instances) {
    json::object one = instance_state(view, instance);
    one["namespace"] = instance.pod.name_space;
    one["workload"] = instance.workload;
    one["ip"] = instance.ip;
    all.emplace_back(std::move(one));
  }
  return all;
}

double seconds(base::WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

// Of the API server: as of when what is known is.
json::array watches(const NodeView& view) {
  json::array all;
  for (const kube::WatchStatus& watch : view.watches) {
    all.push_back({{"resource", watch.resource},
                   {"synced", watch.is_synced},
                   {"error", watch.error},
                   {"last_contact", watch.last_contact ? json::value(seconds(*watch.last_contact)) : nullptr},
                   {"lists", watch.lists},
                   {"failures", watch.failures},
                   {"bytes_received", watch.bytes_received}});
  }
  return all;
}

std::string_view to_string(config::MatchKind kind) {
  switch (kind) {
    case config::MatchKind::exact:
      return "exact";
    case config::MatchKind::prefix:
      return "prefix";
    case config::MatchKind::regex:
      return "regex";
    case config::MatchKind::present:
      return "present";
  }
  return "";
}

json::array conditions(const config::RouteMatch& match) {
  json::array all;
  const auto add = [&all](const std::string& on, const config::StringMatch& condition, bool is_inverted = false) {
    all.push_back({{"on", on},
                   {"how", to_string(condition.kind)},
                   {"value", condition.value},
                   {"ignore_case", condition.ignore_case},
                   {"inverted", is_inverted}});
  };
  if (match.uri) add("uri", *match.uri);
  if (match.scheme) add("scheme", *match.scheme);
  if (match.method) add("method", *match.method);
  if (match.authority) add("authority", *match.authority);
  for (const config::HeaderMatch& header : match.headers) {
    add("header " + header.name, header.match, header.is_inverted);
  }
  for (const config::QueryMatch& query : match.query) add("query " + query.name, query.match);
  return all;
}

json::value milliseconds(const std::optional<config::Milliseconds>& duration) {
  return duration ? json::value(duration->count()) : nullptr;
}

json::object retries(const config::RetryPolicy& policy) {
  json::array retry_on, codes(policy.retriable_status_codes.begin(), policy.retriable_status_codes.end());
  for (const std::string_view word : config::istio::retry_on_words(policy.retry_on)) retry_on.emplace_back(word);
  return {{"attempts", policy.max_retries},
          {"per_try_timeout_ms", milliseconds(policy.per_try_timeout)},
          {"retry_on", std::move(retry_on)},
          {"status_codes", std::move(codes)}};
}

json::object fault(const config::FaultPolicy& policy) {
  json::object all;
  if (policy.delay_per_million > 0) {
    all["delay"] = {{"ms", policy.delay.count()}, {"per_million", policy.delay_per_million}};
  }
  if (policy.abort_per_million > 0) {
    json::object abort{{"status", policy.abort_status}, {"per_million", policy.abort_per_million}};
    if (policy.abort_grpc_status) abort["grpc_status"] = *policy.abort_grpc_status;
    all["abort"] = std::move(abort);
  }
  return all;
}

json::object route(const config::NodeConfig& config, const config::Route& route) {
  json::array destinations;
  for (const config::Destination& destination : route.destinations) {
    // An index, because backends of one name may differ in their policy, by who calls.
    const bool is_known = destination.backend < config.backends.size();
    destinations.push_back({{"backend", is_known ? json::value(config.backends[destination.backend].name) : nullptr},
                            {"index", is_known ? json::value(destination.backend) : nullptr},
                            {"weight", destination.weight}});
  }
  json::object all{{"name", route.name}, {"from", route.origin}, {"destinations", std::move(destinations)}};
  all["match"] = conditions(route.match);
  all["timeout_ms"] = milliseconds(route.timeout);
  all["retries"] = retries(route.retry);
  all["fault"] = fault(route.fault);
  all["direct_response"] = route.direct_response ? json::value(route.direct_response->status) : nullptr;
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
    all.push_back(
        {{"name", backend.name},
         {"host", config.services[backend.service].host},
         {"port", backend.port},
         {"subset", backend.subset},
         {"from", backend.origin},
         {"load_balancer", to_string(backend.policy.load_balancer)},
         {"limits",
          {{"connections", limit(pool.max_connections)},
           {"pending", limit(pool.max_pending_requests)},
           {"requests", limit(pool.max_requests)},
           {"retries", limit(pool.max_retries)},
           {"requests_per_connection",
            pool.max_requests_per_connection == 0 ? nullptr : json::value(pool.max_requests_per_connection)}}},
         {"outlier_detection", std::move(outlier)},
         {"endpoints", std::move(endpoints)}});
  }
  return all;
}

}  // namespace

std::string config_dump(const Snapshot& snapshot) {
  const NodeView& view = *snapshot.view;
  std::uint64_t restarts = 0;
  for (const std::uint64_t count : view.proxy_restarts) restarts += count;
  json::object page{{"version", base::kVersion},
                    {"kernel", kernel_release()},
                    {"generation", view.config->generation},
                    {"semantics", to_string(view.settings.semantics)},
                    {"proxy",
                     {{"up", view.is_proxy_up},
                      {"pid", view.proxy_pid},
                      {"version", view.proxy_version},
                      {"generation", view.proxy_generation},
                      {"restarts", restarts}}},
                    {"time", seconds(snapshot.taken_at)},
                    {"watches", watches(view)},
                    {"pods", pods(view)},
                    {"workloads", workloads(view)},
                    {"services", services(*view.config)},
                    {"policies", policies(view)},
                    {"route_tables", route_tables(*view.config)},
                    {"backends", backends(*view.config)}};
  return json::serialize(page) + "\n";
}

}  // namespace agent::admin
