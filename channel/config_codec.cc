#include "channel/config_codec.h"

#include "channel/wire_values.h"

namespace channel {
namespace {

using channel::read;  // beside the overloads here, which would hide them
using channel::write;

void write(pb::Service& to, const config::Service& from) {
  to.set_id(from.id);
  to.set_host(from.host);
  to.set_name(from.name);
  to.set_name_space(from.name_space);
  to.set_app(from.app);
  to.set_is_headless(from.is_headless);
  for (const base::IpAddress& vip : from.vips) to.add_vips(ip_bytes(vip));
  for (const config::ServicePort& port : from.ports) {
    pb::ServicePort& added = *to.add_ports();
    added.set_number(port.number);
    added.set_name(port.name);
    added.set_protocol(static_cast<std::uint32_t>(port.protocol));
  }
}

config::Service read(const pb::Service& from) {
  config::Service to{.id = from.id(),
                     .host = from.host(),
                     .name = from.name(),
                     .name_space = from.name_space(),
                     .app = from.app(),
                     .vips = {},
                     .ports = {},
                     .is_headless = from.is_headless()};
  for (const std::string& vip : from.vips()) to.vips.push_back(read_ip(vip));
  for (const pb::ServicePort& port : from.ports()) {
    to.ports.push_back({.number = narrow<std::uint16_t>(port.number()),
                        .name = port.name(),
                        .protocol = enumerator(port.protocol(), config::Protocol::tcp)});
  }
  return to;
}

void write(pb::ConnectionPool& to, const config::ConnectionPoolPolicy& from) {
  to.set_max_connections(from.max_connections);
  to.set_connect_timeout_ms(count(from.connect_timeout));
  to.set_max_pending_requests(from.max_pending_requests);
  to.set_max_requests(from.max_requests);
  to.set_max_requests_per_connection(from.max_requests_per_connection);
  to.set_max_retries(from.max_retries);
  to.set_idle_timeout_ms(count(from.idle_timeout));
  if (from.max_connection_duration) to.set_max_connection_duration_ms(count(*from.max_connection_duration));
  if (from.tcp_keepalive) {
    pb::Keepalive& keepalive = *to.mutable_tcp_keepalive();
    if (from.tcp_keepalive->probes) keepalive.set_probes(*from.tcp_keepalive->probes);
    if (from.tcp_keepalive->time) keepalive.set_time_s(static_cast<std::uint64_t>(from.tcp_keepalive->time->count()));
    if (from.tcp_keepalive->interval) {
      keepalive.set_interval_s(static_cast<std::uint64_t>(from.tcp_keepalive->interval->count()));
    }
  }
}

config::ConnectionPoolPolicy read(const pb::ConnectionPool& from) {
  config::ConnectionPoolPolicy to;
  to.max_connections = from.max_connections();
  to.connect_timeout = milliseconds(from.connect_timeout_ms());
  to.max_pending_requests = from.max_pending_requests();
  to.max_requests = from.max_requests();
  to.max_requests_per_connection = from.max_requests_per_connection();
  to.max_retries = from.max_retries();
  to.idle_timeout = milliseconds(from.idle_timeout_ms());
  if (from.has_max_connection_duration_ms())
    to.max_connection_duration = milliseconds(from.max_connection_duration_ms());
  if (from.has_tcp_keepalive()) {
    const pb::Keepalive& keepalive = from.tcp_keepalive();
    to.tcp_keepalive.emplace();
    if (keepalive.has_probes()) to.tcp_keepalive->probes = keepalive.probes();
    if (keepalive.has_time_s())
      to.tcp_keepalive->time = std::chrono::seconds(narrow<std::uint32_t>(keepalive.time_s()));
    if (keepalive.has_interval_s()) {
      to.tcp_keepalive->interval = std::chrono::seconds(narrow<std::uint32_t>(keepalive.interval_s()));
    }
  }
  return to;
}

void write(pb::Outlier& to, const config::OutlierPolicy& from) {
  to.set_consecutive_5xx(from.consecutive_5xx);
  to.set_consecutive_gateway(from.consecutive_gateway);
  to.set_splits_local_origin(from.splits_local_origin);
  to.set_consecutive_local_origin(from.consecutive_local_origin);
  to.set_interval_ms(count(from.interval));
  to.set_base_ejection_time_ms(count(from.base_ejection_time));
  to.set_max_ejection_percent(from.max_ejection_percent);
  to.set_min_health_percent(from.min_health_percent);
  to.set_always_ejects_one_host(from.always_ejects_one_host);
}

config::OutlierPolicy read(const pb::Outlier& from) {
  if (from.interval_ms() == 0) throw Invalid();  // sweeps would never end
  return {.consecutive_5xx = from.consecutive_5xx(),
          .consecutive_gateway = from.consecutive_gateway(),
          .splits_local_origin = from.splits_local_origin(),
          .consecutive_local_origin = from.consecutive_local_origin(),
          .interval = milliseconds(from.interval_ms()),
          .base_ejection_time = milliseconds(from.base_ejection_time_ms()),
          .max_ejection_percent = from.max_ejection_percent(),
          .min_health_percent = from.min_health_percent(),
          .always_ejects_one_host = from.always_ejects_one_host()};
}

void write(pb::Backend& to, const config::Backend& from) {
  to.set_name(from.name);
  to.set_service(from.service);
  to.set_port(from.port);
  to.set_subset(from.subset);
  for (const config::Endpoint& endpoint : from.endpoints) {
    pb::Endpoint& added = *to.add_endpoints();
    write(*added.mutable_address(), endpoint.address);
    added.set_weight(endpoint.weight);
    write(*added.mutable_identity(), endpoint.identity);
  }
  write(*to.mutable_connection_pool(), from.policy.connection_pool);
  if (from.policy.outlier) write(*to.mutable_outlier(), *from.policy.outlier);
  if (from.policy.retry_budget) {
    to.mutable_retry_budget()->set_percent(from.policy.retry_budget->percent);
    to.mutable_retry_budget()->set_min_retry_concurrency(from.policy.retry_budget->min_retry_concurrency);
  }
  to.set_load_balancer(static_cast<std::uint32_t>(from.policy.load_balancer));
}

config::Backend read(const pb::Backend& from) {
  config::Backend to;
  to.name = from.name();
  to.service = from.service();
  to.port = narrow<std::uint16_t>(from.port());
  to.subset = from.subset();
  for (const pb::Endpoint& endpoint : from.endpoints()) {
    to.endpoints.push_back(
        {.address = read(endpoint.address()), .weight = endpoint.weight(), .identity = read(endpoint.identity())});
  }
  to.policy.connection_pool = read(from.connection_pool());
  if (from.has_outlier()) to.policy.outlier = read(from.outlier());
  if (from.has_retry_budget()) {
    to.policy.retry_budget = {.percent = from.retry_budget().percent(),
                              .min_retry_concurrency = from.retry_budget().min_retry_concurrency()};
  }
  to.policy.load_balancer = enumerator(from.load_balancer(), config::LoadBalancer::random);
  return to;
}

void write(pb::StringMatch& to, const config::StringMatch& from) {
  to.set_kind(static_cast<std::uint32_t>(from.kind));
  to.set_value(from.value);
  to.set_ignore_case(from.ignore_case);
}

config::StringMatch read(const pb::StringMatch& from) {
  return {.kind = enumerator(from.kind(), config::MatchKind::present),
          .value = from.value(),
          .ignore_case = from.ignore_case()};
}

void write(pb::RouteMatch& to, const config::RouteMatch& from) {
  if (from.uri) write(*to.mutable_uri(), *from.uri);
  if (from.scheme) write(*to.mutable_scheme(), *from.scheme);
  if (from.method) write(*to.mutable_method(), *from.method);
  if (from.authority) write(*to.mutable_authority(), *from.authority);
  for (const config::HeaderMatch& header : from.headers) {
    pb::HeaderMatch& added = *to.add_headers();
    added.set_name(header.name);
    write(*added.mutable_match(), header.match);
    added.set_is_inverted(header.is_inverted);
  }
  for (const config::QueryMatch& query : from.query) {
    pb::QueryMatch& added = *to.add_query();
    added.set_name(query.name);
    write(*added.mutable_match(), query.match);
  }
}

config::RouteMatch read(const pb::RouteMatch& from) {
  config::RouteMatch to;
  if (from.has_uri()) to.uri = read(from.uri());
  if (from.has_scheme()) to.scheme = read(from.scheme());
  if (from.has_method()) to.method = read(from.method());
  if (from.has_authority()) to.authority = read(from.authority());
  for (const pb::HeaderMatch& header : from.headers()) {
    to.headers.push_back({.name = header.name(), .match = read(header.match()), .is_inverted = header.is_inverted()});
  }
  for (const pb::QueryMatch& query : from.query())
    to.query.push_back({.name = query.name(), .match = read(query.match())});
  return to;
}

void write(pb::Route& to, const config::Route& from) {
  to.set_name(from.name);
  write(*to.mutable_match(), from.match);
  for (const config::Destination& destination : from.destinations) {
    pb::Destination& added = *to.add_destinations();
    added.set_backend(destination.backend);
    added.set_weight(destination.weight);
  }
  to.set_total_weight(from.total_weight);
  if (from.direct_response) {
    to.mutable_direct_response()->set_status(from.direct_response->status);
    to.mutable_direct_response()->set_body(from.direct_response->body);
  }
  if (from.timeout) to.set_timeout_ms(count(*from.timeout));
  pb::RetryPolicy& retry = *to.mutable_retry();
  retry.set_max_retries(from.retry.max_retries);
  retry.set_retry_on(from.retry.retry_on);
  for (const std::uint16_t code : from.retry.retriable_status_codes) retry.add_retriable_status_codes(code);
  if (from.retry.per_try_timeout) retry.set_per_try_timeout_ms(count(*from.retry.per_try_timeout));
  retry.set_avoids_previous_hosts(from.retry.avoids_previous_hosts);
  retry.set_backoff_base_ms(count(from.retry.backoff_base));
  retry.set_backoff_max_ms(count(from.retry.backoff_max));
  pb::Fault& fault = *to.mutable_fault();
  fault.set_delay_ms(count(from.fault.delay));
  fault.set_delay_per_million(from.fault.delay_per_million);
  fault.set_abort_status(from.fault.abort_status);
  fault.set_abort_per_million(from.fault.abort_per_million);
  if (from.fault.abort_grpc_status) fault.set_abort_grpc_status(*from.fault.abort_grpc_status);
  to.set_decorator_operation(from.decorator_operation);
  to.set_origin(from.origin);
}

config::Route read(const pb::Route& from, std::uint32_t backends) {
  config::Route to;
  to.name = from.name();
  to.match = read(from.match());
  to.total_weight = 0;
  for (const pb::Destination& destination : from.destinations()) {
    if (destination.backend() >= backends && destination.backend() != config::Destination::kUnknownBackend)
      throw Invalid();
    to.destinations.push_back({.backend = destination.backend(), .weight = destination.weight()});
  }
  to.total_weight = from.total_weight();
  if (from.has_direct_response()) {
    to.direct_response = {.status = narrow<std::uint16_t>(from.direct_response().status()),
                          .body = from.direct_response().body()};
  }
  if (!to.direct_response && (to.destinations.empty() || to.total_weight == 0)) throw Invalid();
  if (from.has_timeout_ms()) to.timeout = milliseconds(from.timeout_ms());
  const pb::RetryPolicy& retry = from.retry();
  to.retry.max_retries = retry.max_retries();
  to.retry.retry_on = retry.retry_on();
  for (const std::uint32_t code : retry.retriable_status_codes()) {
    to.retry.retriable_status_codes.push_back(narrow<std::uint16_t>(code));
  }
  if (retry.has_per_try_timeout_ms()) to.retry.per_try_timeout = milliseconds(retry.per_try_timeout_ms());
  to.retry.avoids_previous_hosts = retry.avoids_previous_hosts();
  to.retry.backoff_base = milliseconds(retry.backoff_base_ms());
  to.retry.backoff_max = milliseconds(retry.backoff_max_ms());
  to.fault = {.delay = milliseconds(from.fault().delay_ms()),
              .delay_per_million = from.fault().delay_per_million(),
              .abort_status = narrow<std::uint16_t>(from.fault().abort_status()),
              .abort_grpc_status = std::nullopt,
              .abort_per_million = from.fault().abort_per_million()};
  if (from.fault().has_abort_grpc_status()) {
    to.fault.abort_grpc_status = narrow<std::uint8_t>(from.fault().abort_grpc_status());
  }
  to.decorator_operation = from.decorator_operation();
  to.origin = from.origin();
  return to;
}

void write(pb::RouteTable& to, const config::RouteTable& from) {
  for (const config::PortRoutes& port : from.ports) {
    pb::PortRoutes& added = *to.add_ports();
    added.set_port(port.port);
    for (const config::VirtualHost& host : port.virtual_hosts) {
      pb::VirtualHost& added_host = *added.add_virtual_hosts();
      added_host.set_name(host.name);
      for (const std::string& domain : host.domains) added_host.add_domains(domain);
      for (const config::Route& route : host.routes) write(*added_host.add_routes(), route);
    }
  }
  to.set_unknown_hosts(static_cast<std::uint32_t>(from.unknown_hosts));
}

config::RouteTable read(const pb::RouteTable& from, std::uint32_t backends) {
  config::RouteTable to;
  for (const pb::PortRoutes& port : from.ports()) {
    config::PortRoutes& added = to.ports.emplace_back();
    added.port = narrow<std::uint16_t>(port.port());
    for (const pb::VirtualHost& host : port.virtual_hosts()) {
      config::VirtualHost& added_host = added.virtual_hosts.emplace_back();
      added_host.name = host.name();
      added_host.domains.assign(host.domains().begin(), host.domains().end());
      for (const pb::Route& route : host.routes()) added_host.routes.push_back(read(route, backends));
    }
  }
  to.unknown_hosts = enumerator(from.unknown_hosts(), config::UnknownHostPolicy::registry_only);
  return to;
}

void write(pb::Settings& to, const config::ProxySettings& from) {
  to.set_access_log_format(static_cast<std::uint32_t>(from.access_log_format));
  to.set_access_log_flush_interval_ms(count(from.access_log_flush_interval));
  to.set_max_request_head_bytes(from.max_request_head_bytes);
  to.set_max_response_head_bytes(from.max_response_head_bytes);
  to.set_max_headers(from.max_headers);
  to.set_retry_buffer_bytes(from.retry_buffer_bytes);
  to.set_pod_buffer_bytes(from.pod_buffer_bytes);
  to.set_node_buffer_bytes(from.node_buffer_bytes);
  to.set_stream_buffer_bytes(from.stream_buffer_bytes);
  to.set_downstream_idle_timeout_ms(count(from.downstream_idle_timeout));
  to.set_request_headers_timeout_ms(count(from.request_headers_timeout));
  to.set_delayed_close_ms(count(from.delayed_close));
  to.set_max_connections_per_pod(from.max_connections_per_pod);
  to.set_server_header(from.server_header);
  to.set_reports_destination(from.reports_destination);
  to.set_max_series(from.max_series);
  to.set_cluster_name(from.cluster_name);
  to.set_counts_tcp(from.counts_tcp);
}

config::ProxySettings read(const pb::Settings& from) {
  config::ProxySettings to;
  to.access_log_format = enumerator(from.access_log_format(), config::AccessLogFormat::json);
  to.access_log_flush_interval = milliseconds(from.access_log_flush_interval_ms());
  to.max_request_head_bytes = from.max_request_head_bytes();
  to.max_response_head_bytes = from.max_response_head_bytes();
  to.max_headers = from.max_headers();
  to.retry_buffer_bytes = from.retry_buffer_bytes();
  to.pod_buffer_bytes = from.pod_buffer_bytes();
  to.node_buffer_bytes = from.node_buffer_bytes();
  to.stream_buffer_bytes = from.stream_buffer_bytes();
  to.downstream_idle_timeout = milliseconds(from.downstream_idle_timeout_ms());
  to.request_headers_timeout = milliseconds(from.request_headers_timeout_ms());
  to.delayed_close = milliseconds(from.delayed_close_ms());
  to.max_connections_per_pod = from.max_connections_per_pod();
  to.server_header = from.server_header();
  to.reports_destination = from.reports_destination();
  to.max_series = from.max_series();
  to.cluster_name = from.cluster_name();
  to.counts_tcp = from.counts_tcp();
  return to;
}

}  // namespace

void write(pb::NodeConfig& to, const config::NodeConfig& from) {
  to.set_generation(from.generation);
  write(*to.mutable_settings(), from.settings);
  for (const config::Service& service : from.services) write(*to.add_services(), service);
  for (const config::Backend& backend : from.backends) write(*to.add_backends(), backend);
  for (const config::RouteTable& table : from.route_tables) write(*to.add_route_tables(), table);
  for (const config::Workload& workload : from.workloads) {
    pb::Workload& added = *to.add_workloads();
    write(*added.mutable_identity(), workload.identity);
    added.set_name(workload.name);
    added.set_name_space(workload.name_space);
    for (const auto& [name, value] : workload.labels) {
      pb::Label& label = *added.add_labels();
      label.set_name(name);
      label.set_value(value);
    }
    added.set_route_table(workload.route_table);
  }
  to.set_has_services_on_demand(from.has_services_on_demand);
}

std::shared_ptr<const config::NodeConfig> read(const pb::NodeConfig& from) {
  auto to = std::make_shared<config::NodeConfig>();
  to->generation = from.generation();
  to->settings = read(from.settings());
  for (const pb::Service& service : from.services()) to->services.push_back(read(service));
  for (const pb::Backend& backend : from.backends()) {
    to->backends.push_back(read(backend));
    if (to->backends.back().service >= to->services.size()) throw Invalid();
  }
  const auto backends = static_cast<std::uint32_t>(to->backends.size());
  for (const pb::RouteTable& table : from.route_tables()) to->route_tables.push_back(read(table, backends));
  for (const pb::Workload& workload : from.workloads()) {
    if (workload.route_table() >= to->route_tables.size()) throw Invalid();
    config::Workload& added = to->workloads.emplace_back();
    added.identity = read(workload.identity());
    added.name = workload.name();
    added.name_space = workload.name_space();
    for (const pb::Label& label : workload.labels()) added.labels.emplace(label.name(), label.value());
    added.route_table = workload.route_table();
  }
  to->has_services_on_demand = from.has_services_on_demand();
  return to;
}

}  // namespace channel
