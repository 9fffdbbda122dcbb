#include "config/istio/own_kinds.h"

#include <array>

#include "config/istio/retry_settings.h"

namespace config::istio {
namespace {

constexpr Field kSelector[] = {{.name = "cgroup"}, {.name = "systemdUnit"}, {.name = "systemdSlice"}};
constexpr Field kWorkload[] = {{.name = "selectors", .type = Type::object_list, .fields = kSelector}};

constexpr std::string_view kSemantics[] = {"istio", "legacy"};
constexpr std::string_view kUnknownHosts[] = {"ALLOW_ANY", "REGISTRY_ONLY"};
constexpr std::string_view kLogFormats[] = {"off", "text", "json"};
constexpr std::string_view kReporters[] = {"auto", "always", "never"};
constexpr std::array<std::string_view, 6> kDroppable = {"source_version",   "destination_version",
                                                        "source_app",       "destination_app",
                                                        "source_principal", "destination_principal"};

constexpr Field kAdmin[] = {{.name = "address"}};
constexpr Field kCluster[] = {{.name = "name"}, {.name = "domain"}, {.name = "rootNamespace"}};
constexpr Field kAccessLog[] = {
    {.name = "format", .type = Type::word, .words = kLogFormats},
    {.name = "path"},
    {.name = "flushInterval", .type = Type::duration, .max = 60'000},
};
constexpr std::int64_t kMebibyte = std::int64_t{1024} * 1024;
constexpr Field kLimits[] = {
    {.name = "requestHeadBytes", .type = Type::integer, .min = 1024, .max = kMebibyte},
    {.name = "responseHeadBytes", .type = Type::integer, .min = 1024, .max = kMebibyte},
    {.name = "headers", .type = Type::integer, .min = 1, .max = 100},
    {.name = "retryBufferBytes", .type = Type::integer, .min = 0, .max = 64 * kMebibyte},
    {.name = "podBufferBytes", .type = Type::integer, .min = 64 * 1024, .max = 64 * 1024 * kMebibyte},
    {.name = "nodeBufferBytes", .type = Type::integer, .min = 1 * kMebibyte, .max = 64 * 1024 * kMebibyte},
    {.name = "streamBufferBytes", .type = Type::integer, .min = 4096, .max = 16 * kMebibyte},
    {.name = "podConnections", .type = Type::integer, .min = 1, .max = 1'000'000},
    {.name = "downstreamIdleTimeout", .type = Type::duration},
    {.name = "requestHeadTimeout", .type = Type::duration},
    {.name = "delayedClose", .type = Type::duration, .max = 60'000},
};
constexpr Field kTelemetry[] = {
    {.name = "maxSeries", .type = Type::integer, .min = 100, .max = 1'000'000},
    {.name = "destinationReporter", .type = Type::word, .words = kReporters},
    {.name = "dropLabels", .type = Type::text_list},
    {.name = "tcp", .type = Type::boolean},
};

WorkloadSelector::Kind kind_of(std::string_view name) {
  if (name == "systemdUnit") return WorkloadSelector::Kind::systemd_unit;
  if (name == "systemdSlice") return WorkloadSelector::Kind::systemd_slice;
  return WorkloadSelector::Kind::cgroup;
}

void check_selector(const Node& node, WorkloadSelector::Kind kind, const std::string& pattern, Report& report) {
  if (pattern.empty()) {
    report.error(node, "is empty; write a name or a pattern");
  } else if (kind == WorkloadSelector::Kind::cgroup && !pattern.starts_with('/')) {
    report.error(node, quoted(pattern) +
                           " does not begin with /; write the path below the cgroup mount, for example "
                           "/system.slice/web.service");
  } else if (kind != WorkloadSelector::Kind::cgroup && pattern.find('/') != pattern.npos) {
    report.error(node, quoted(pattern) + " has a /; write the name alone, or use cgroup for a path");
  } else if (kind == WorkloadSelector::Kind::systemd_slice && !pattern.ends_with(".slice")) {
    report.error(node, quoted(pattern) + " does not end with .slice");
  }
}

}  // namespace

std::span<const Field> workload_fields() { return kWorkload; }

WorkloadDocument read_workload(const Node& spec, const Context& context, Report& report) {
  WorkloadDocument workload;
  workload.metadata = context.metadata;
  for (const Node& item : spec["selectors"].items()) {
    const auto members = item.members();
    if (members.size() != 1) {
      report.error(item, "needs exactly one of cgroup, systemdUnit and systemdSlice");
      continue;
    }
    WorkloadSelector selector;
    selector.kind = kind_of(members.front().first);
    selector.pattern = members.front().second.text();
    check_selector(members.front().second, selector.kind, selector.pattern, report);
    if (selector.kind == WorkloadSelector::Kind::systemd_unit && selector.pattern.find('.') == std::string::npos) {
      selector.pattern += ".service";  // as systemctl reads it
    }
    workload.selectors.push_back(std::move(selector));
  }
  return workload;
}

std::span<const Field> settings_fields() {
  static const Field kSettings[] = {
      {.name = "semantics", .type = Type::word, .words = kSemantics},
      {.name = "workers", .type = Type::integer, .min = 0, .max = 256},
      {.name = "admin", .type = Type::object, .fields = kAdmin},
      {.name = "cluster", .type = Type::object, .fields = kCluster},
      {.name = "unknownHosts", .type = Type::word, .words = kUnknownHosts},
      {.name = "defaultRetries", .type = Type::object, .fields = retry_fields()},
      {.name = "serverHeader"},
      {.name = "accessLog", .type = Type::object, .fields = kAccessLog},
      {.name = "limits", .type = Type::object, .fields = kLimits},
      {.name = "telemetry", .type = Type::object, .fields = kTelemetry},
  };
  return kSettings;
}

Settings read_settings(const Node& spec, Report& report) {
  Settings settings;
  ProxySettings& proxy = settings.proxy;
  if (spec["semantics"].text() == "legacy") settings.semantics = Semantics::legacy;
  settings.workers = static_cast<std::uint32_t>(spec["workers"].integer(settings.workers));
  if (const Node address = spec["admin"]["address"]) {
    if (auto parsed = base::SocketAddress::parse(address.text()); parsed && parsed->port != 0) {
      settings.admin_address = *parsed;
    } else {
      report.error(address, quoted(address.text()) + " is not an address and port; write for example 127.0.0.1:15020");
    }
  }
  const Node cluster = spec["cluster"];
  proxy.cluster_name = cluster["name"].text(proxy.cluster_name);
  settings.cluster_domain = cluster["domain"].text(settings.cluster_domain);
  if (cluster["domain"]) check_domain(cluster["domain"], report, Addresses::refused);
  settings.root_namespace = cluster["rootNamespace"].text(settings.root_namespace);
  if (!is_dns_label(settings.root_namespace)) {
    report.error(cluster["rootNamespace"], quoted(settings.root_namespace) + " is not a namespace");
  }
  if (spec["unknownHosts"].text() == "REGISTRY_ONLY") settings.unknown_hosts = UnknownHostPolicy::registry_only;
  if (spec["defaultRetries"]) settings.default_retries = read_retries(spec["defaultRetries"], report);
  proxy.server_header = spec["serverHeader"].text(proxy.server_header);

  const Node log = spec["accessLog"];
  const std::string format = log["format"].text("off");
  proxy.access_log_format = format == "text"   ? AccessLogFormat::text
                            : format == "json" ? AccessLogFormat::json
                                               : AccessLogFormat::off;
  proxy.access_log_path = log["path"].text(proxy.access_log_path);
  if (!proxy.access_log_path.starts_with('/')) {
    report.error(log["path"], quoted(proxy.access_log_path) + " is not an absolute path");
  }
  proxy.access_log_flush_interval = log["flushInterval"].duration().value_or(proxy.access_log_flush_interval);

  const Node limits = spec["limits"];
  const auto set = [&](std::string_view name, auto& field) {
    field =
        static_cast<std::remove_reference_t<decltype(field)>>(limits[name].integer(static_cast<std::int64_t>(field)));
  };
  set("requestHeadBytes", proxy.max_request_head_bytes);
  set("responseHeadBytes", proxy.max_response_head_bytes);
  set("headers", proxy.max_headers);
  set("retryBufferBytes", proxy.retry_buffer_bytes);
  set("podBufferBytes", proxy.pod_buffer_bytes);
  set("nodeBufferBytes", proxy.node_buffer_bytes);
  set("streamBufferBytes", proxy.stream_buffer_bytes);
  set("podConnections", proxy.max_connections_per_pod);
  proxy.downstream_idle_timeout = limits["downstreamIdleTimeout"].duration().value_or(proxy.downstream_idle_timeout);
  proxy.request_headers_timeout = limits["requestHeadTimeout"].duration().value_or(proxy.request_headers_timeout);
  proxy.delayed_close = limits["delayedClose"].duration().value_or(proxy.delayed_close);

  const Node telemetry = spec["telemetry"];
  proxy.max_series = static_cast<std::uint32_t>(telemetry["maxSeries"].integer(proxy.max_series));
  const std::string reporter = telemetry["destinationReporter"].text("auto");
  settings.destination_reporter = reporter == "never"    ? DestinationReporter::never
                                  : reporter == "always" ? DestinationReporter::always
                                                         : DestinationReporter::automatic;
  proxy.reports_destination = settings.destination_reporter != DestinationReporter::never;
  proxy.counts_tcp = telemetry["tcp"].boolean(proxy.counts_tcp);
  for (const Node& item : telemetry["dropLabels"].items()) {
    const std::string label = item.text();
    if (std::find(kDroppable.begin(), kDroppable.end(), label) == kDroppable.end()) {
      report.error(item, quoted(label) +
                             " cannot be dropped; dashboards need it. Allowed: source_version, "
                             "destination_version, source_app, destination_app, source_principal and "
                             "destination_principal");
    }
    settings.drop_labels.push_back(label);
  }
  return settings;
}

}  // namespace config::istio
