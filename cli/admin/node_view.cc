#include "cli/admin/node_view.h"

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
  return {text(value, "namespace"), text(value, "name"), list(value, "instances", read_instance)};
}

std::string read_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

std::uint16_t read_port(const json::value& value) { return static_cast<std::uint16_t>(number(value, "number")); }

ServiceView read_service(const json::value& value) {
  return {text(value, "host"), text(value, "name"), text(value, "namespace"), list(value, "vips", read_text),
          list(value, "ports", read_port)};
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
  node.generation = number(*value, "generation");
  node.semantics = text(*value, "semantics");
  if (const auto* proxy = find(*value, "proxy")) {
    node.is_proxy_up = truth(*proxy, "up", false);
    node.proxy_generation = number(*proxy, "generation");
    node.proxy_restarts = number(*proxy, "restarts");
  }
  node.workloads = list(*value, "workloads", read_workload);
  node.services = list(*value, "services", read_service);
  node.policies = list(*value, "policies", read_policy);
  return node;
}

base::Result<std::vector<BackendView>> parse_backends(std::string_view page) {
  const auto value = parse(page);
  if (!value) return tl::unexpected(value.error());
  return list(*value, "clusters", read_backend);
}

}  // namespace cli::admin
