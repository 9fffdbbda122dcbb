#include "cli/admin/node_view.h"

#include <algorithm>
#include <boost/json.hpp>

namespace cli::admin {
namespace {

namespace json = boost::json;

const json::value* find(const json::value& parent, std::string_view name) {
  const auto* object = parent.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::string text(const json::value& parent, std::string_view name) {
  const auto* value = find(parent, name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::uint64_t> whole(const json::value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) return static_cast<std::uint64_t>(value->get_int64());
  return std::nullopt;
}

std::uint64_t number(const json::value& parent, std::string_view name) { return whole(find(parent, name)).value_or(0); }

bool truth(const json::value& parent, std::string_view name, bool otherwise) {
  const auto* value = find(parent, name);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

template <typename Read>
auto list(const json::value& parent, std::string_view name, Read read) {
  std::vector<decltype(read(parent))> items;
  const auto* value = find(parent, name);
  if (value == nullptr || !value->is_array()) return items;
  for (const auto& item : value->get_array()) items.push_back(read(item));
  return items;
}

PolicyFinding read_finding(const json::value& value) {
  return {text(value, "severity"), text(value, "code"), text(value, "file"),   number(value, "line"),
          number(value, "column"), text(value, "path"), text(value, "message")};
}

PolicyView read_policy(const json::value& value) {
  return {text(value, "kind"),
          text(value, "namespace"),
          text(value, "name"),
          text(value, "file"),
          text(value, "state"),
          truth(value, "in_force", true),
          list(value, "findings", read_finding)};
}

InstanceView read_instance(const json::value& value) {
  return {text(value, "name"), text(value, "cgroup"), text(value, "state"), text(value, "reason")};
}

WorkloadView read_workload(const json::value& value) {
  return {text(value, "namespace"), text(value, "name"), list(value, "instances", read_instance),
          number(value, "route_table")};
}

std::optional<std::chrono::milliseconds> duration(const json::value& parent, std::string_view name) {
  const auto value = whole(find(parent, name));
  return value ? std::optional(std::chrono::milliseconds(*value)) : std::nullopt;
}

PodView read_pod(const json::value& value) {
  return {text(value, "namespace"), text(value, "name"),  text(value, "workload"),
          text(value, "ip"),        text(value, "state"), text(value, "reason")};
}

// Both times are the agent's clock.
WatchView read_watch(const json::value& value, const json::value* now) {
  WatchView watch{text(value, "resource"), truth(value, "synced", false), text(value, "error"), {}};
  const auto* const then = find(value, "last_contact");
  if (now != nullptr && now->is_number() && then != nullptr && then->is_number()) {
    const std::chrono::duration<double> age(now->to_number<double>() - then->to_number<double>());
    watch.age = std::max(std::chrono::milliseconds(0), std::chrono::duration_cast<std::chrono::milliseconds>(age));
  }
  return watch;
}

std::string read_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

std::uint64_t read_number(const json::value& value) { return whole(&value).value_or(0); }

std::uint16_t port(const json::value& value, std::string_view name) {
  return static_cast<std::uint16_t>(number(value, name));
}

PortView read_port(const json::value& value) {
  return {port(value, "number"), text(value, "name"), text(value, "protocol")};
}

ServiceView read_service(const json::value& value) {
  return {text(value, "host"), text(value, "name"), text(value, "namespace"), list(value, "vips", read_text),
          list(value, "ports", read_port)};
}

ConditionView read_condition(const json::value& value) {
  return {text(value, "on"), text(value, "how"), text(value, "value"), truth(value, "ignore_case", false),
          truth(value, "inverted", false)};
}

RouteView::Fault read_fault(const json::value& route, std::string_view kind, std::string_view measure) {
  const json::value* const faults = find(route, "fault");
  const json::value* const fault = faults == nullptr ? nullptr : find(*faults, kind);
  if (fault == nullptr) return {};
  return {number(*fault, "per_million"), number(*fault, measure)};
}

RouteView read_route(const json::value& value) {
  RouteView route;
  route.conditions = list(value, "match", read_condition);
  route.destinations = list(value, "destinations", [](const json::value& destination) {
    return RouteView::Destination{whole(find(destination, "index")), number(destination, "weight")};
  });
  route.direct_response = whole(find(value, "direct_response"));
  route.timeout = duration(value, "timeout_ms");
  if (const auto* retries = find(value, "retries")) {
    route.retries = number(*retries, "attempts");
    route.per_try_timeout = duration(*retries, "per_try_timeout_ms");
    route.retry_on = list(*retries, "retry_on", read_text);
    route.retry_status_codes = list(*retries, "status_codes", read_number);
  }
  route.delay = read_fault(value, "delay", "ms");
  route.abort = read_fault(value, "abort", "status");
  route.from = text(value, "from");
  return route;
}

VirtualHostView read_virtual_host(const json::value& value) {
  return {port(value, "port"), text(value, "name"), list(value, "routes", read_route)};
}

RouteTableView read_route_table(const json::value& value) { return {list(value, "virtual_hosts", read_virtual_host)}; }

BackendPolicyView read_backend_policy(const json::value& value) {
  BackendPolicyView backend;
  backend.host = text(value, "host");
  backend.subset = text(value, "subset");
  backend.port = port(value, "port");
  backend.load_balancer = text(value, "load_balancer");
  if (const auto* limits = find(value, "limits"); limits != nullptr && limits->is_object()) {
    for (const auto& [name, limit] : limits->get_object()) {
      if (const auto most = whole(&limit)) backend.limits.emplace_back(name, *most);
    }
  }
  if (const auto* outlier = find(value, "outlier_detection"); outlier != nullptr && outlier->is_object()) {
    backend.outlier = {.consecutive_5xx = number(*outlier, "consecutive_5xx"),
                       .consecutive_gateway = number(*outlier, "consecutive_gateway"),
                       .interval = std::chrono::milliseconds(number(*outlier, "interval_ms")),
                       .base_ejection_time = std::chrono::milliseconds(number(*outlier, "base_ejection_time_ms")),
                       .max_ejection_percent = number(*outlier, "max_ejection_percent")};
  }
  backend.endpoints = list(value, "endpoints", [](const json::value& endpoint) { return text(endpoint, "address"); });
  backend.from = text(value, "from");
  return backend;
}

EndpointView read_endpoint(const json::value& value) {
  EndpointView endpoint;
  endpoint.address = text(value, "address");
  endpoint.active_requests = number(value, "active_requests");
  endpoint.connections = number(value, "connections");
  endpoint.times_ejected = number(value, "times_ejected");
  if (const auto* ejected = find(value, "ejected"); ejected != nullptr && ejected->is_object()) {
    endpoint.is_ejected = true;
    endpoint.ejection_rule = text(*ejected, "reason");
    if (const auto left = whole(find(*ejected, "returns_in_ms")))
      endpoint.returns_in = std::chrono::milliseconds(*left);
  }
  return endpoint;
}

BackendView read_backend(const json::value& value) {
  return {text(value, "name"), text(value, "source"), list(value, "endpoints", read_endpoint)};
}

base::Result<json::value> parse(std::string_view text) {
  json::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::io, "the admin endpoint does not answer with a JSON object; is it Fairlead's agent?");
  }
  return value;
}

}  // namespace

base::Result<NodeView> parse_node(std::string_view page) {
  const auto value = parse(page);
  if (!value) return tl::unexpected(value.error());
  NodeView node;
  node.version = text(*value, "version");
  node.kernel = text(*value, "kernel");
  node.generation = number(*value, "generation");
  node.semantics = text(*value, "semantics");
  if (const auto* proxy = find(*value, "proxy")) {
    node.is_proxy_up = truth(*proxy, "up", false);
    node.proxy_version = text(*proxy, "version");
    node.proxy_generation = number(*proxy, "generation");
    node.proxy_restarts = number(*proxy, "restarts");
  }
  node.watches = list(*value, "watches",
                      [now = find(*value, "time")](const json::value& watch) { return read_watch(watch, now); });
  node.pods = list(*value, "pods", read_pod);
  node.workloads = list(*value, "workloads", read_workload);
  node.services = list(*value, "services", read_service);
  node.policies = list(*value, "policies", read_policy);
  node.route_tables = list(*value, "route_tables", read_route_table);
  node.backends = list(*value, "backends", read_backend_policy);
  return node;
}

base::Result<std::vector<BackendView>> parse_backends(std::string_view page) {
  const auto value = parse(page);
  if (!value) return tl::unexpected(value.error());
  return list(*value, "clusters", read_backend);
}

}  // namespace cli::admin
