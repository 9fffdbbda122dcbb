#include "agent/telemetry/traffic_labels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string_view>

#include "agent/telemetry/label_text.h"
#include "telemetry/events.h"
#include "telemetry/response_flags.h"

namespace agent::telemetry {

using ::telemetry::Kind;
using ::telemetry::Reporter;
using ::telemetry::SeriesKey;

namespace {

constexpr std::string_view kUnknown = "unknown";
constexpr std::string_view kOverflow = "_overflow";

std::string decimal(std::int64_t value) { return std::to_string(value); }

// Values of one side of a request; defaults are those of WorkloadIdentity.
config::WorkloadIdentity identity_of(std::uint32_t id, const IdentityTable& names) {
  if (id == SeriesKey::kOverflowId) {
    const std::string overflow(kOverflow);
    return {.workload = overflow, .app = overflow, .canonical_service = overflow, .canonical_revision = overflow};
  }
  if (const auto known = names.workload(id)) return *known;
  return {};
}

struct ServiceLabels {
  std::string host{kUnknown};
  std::string name{kUnknown};
  std::string name_space{kUnknown};
  std::string app{kUnknown};  // of all its endpoints
};

ServiceLabels service_of(const SeriesKey& key, const IdentityTable& names, const std::string& host) {
  if (key.service == SeriesKey::kOverflowId) {
    const std::string overflow(kOverflow);
    return {.host = overflow, .name = overflow, .name_space = std::string(kUnknown), .app = overflow};
  }
  if (key.service != 0 && (key.service & SeriesKey::kHostBit) == 0) {
    const auto known = names.service(key.service);
    if (!known) return {};
    return {.host = known->host, .name = known->name, .name_space = known->name_space, .app = known->app};
  }
  ServiceLabels unknown;
  if (!host.empty()) unknown.host = host;
  // As Istio names them: sent to where it was going, or refused (REGISTRY_ONLY).
  unknown.name = key.is_passthrough != 0 ? "PassthroughCluster" : "BlackHoleCluster";
  return unknown;
}

void add_identity(LabelText& text, std::string_view side, const config::WorkloadIdentity& identity,
                  const TrafficLabelSettings& settings) {
  const auto add = [&](std::string_view name, std::string_view value) {
    text.add(std::string(side) + std::string(name), value.empty() ? kUnknown : value);
  };
  add("_workload", identity.workload);
  add("_workload_namespace", identity.workload_namespace);
  if (!settings.dropped.app) add("_app", identity.app);
  if (!settings.dropped.version) add("_version", identity.version);
  add("_canonical_service", identity.canonical_service);
  add("_canonical_revision", identity.canonical_revision);
  if (!settings.dropped.principal) add("_principal", kUnknown);  // no mutual TLS ends here
  add("_cluster", settings.cluster_name);
}

std::string istio_labels(Kind kind, const SeriesKey& key, const IdentityTable& names,
                         const TrafficLabelSettings& settings, const std::string& host) {
  const bool is_overflow = key.source == SeriesKey::kOverflowId;
  const bool is_source = key.reporter != Reporter::destination;
  const ServiceLabels service = service_of(key, names, host);
  config::WorkloadIdentity destination = identity_of(key.destination, names);
  // No endpoint was chosen: the app that all endpoints share, but never the canonical service.
  if (key.destination == 0) destination.app = service.app;

  LabelText text;
  text.add("reporter", is_source ? "source" : "destination");
  add_identity(text, "source", identity_of(key.source, names), settings);
  add_identity(text, "destination", destination, settings);
  text.add("destination_service", service.host);
  text.add("destination_service_name", service.name);
  text.add("destination_service_namespace", service.name_space);
  const auto protocol = static_cast<std::size_t>(key.protocol);
  text.add("request_protocol", is_overflow && kind == Kind::request ? kUnknown
                               : protocol < ::telemetry::kRequestProtocolNames.size()
                                   ? ::telemetry::kRequestProtocolNames[protocol]
                                   : kUnknown);
  if (kind == Kind::request) {
    text.add("response_code", is_overflow ? std::string(kUnknown) : decimal(key.code));
    text.add("grpc_response_status", key.grpc_status >= 0 ? decimal(key.grpc_status) : "");
  }
  text.add("response_flags", is_overflow ? std::string(kUnknown) : ::telemetry::flags_text(key.flags));
  text.add("connection_security_policy", is_source ? kUnknown : "none");
  return text.take();
}

void add_pod(LabelText& text, std::uint32_t id, const IdentityTable& names) {
  const auto pod = names.pod(id);
  text.add("source_namespace", pod ? std::string_view(pod->name_space) : kUnknown);
  text.add("source_pod", pod ? std::string_view(pod->name) : id == SeriesKey::kOverflowId ? kOverflow : kUnknown);
}

}  // namespace

TrafficLabelSettings label_settings(const config::Settings& settings) {
  const auto drops = [&](std::string_view label) {
    return std::find(settings.drop_labels.begin(), settings.drop_labels.end(), label) != settings.drop_labels.end();
  };
  return {.cluster_name = settings.proxy.cluster_name,
          .dropped = {.version = drops("source_version") || drops("destination_version"),
                      .app = drops("source_app") || drops("destination_app"),
                      .principal = drops("source_principal") || drops("destination_principal")}};
}

std::string traffic_labels(Kind kind, const SeriesKey& key, const IdentityTable& names,
                           const TrafficLabelSettings& settings, const std::string& host) {
  LabelText text;
  switch (kind) {
    case Kind::request:
    case Kind::tcp:
      return istio_labels(kind, key, names, settings, host);
    case Kind::pod:
      add_pod(text, key.pod, names);
      break;
    case Kind::pod_service:
      add_pod(text, key.pod, names);
      text.add("destination_service", service_of(key, names, host).host);
      break;
    case Kind::pod_code: {
      const bool is_overflow = key.pod == SeriesKey::kOverflowId;
      add_pod(text, key.pod, names);
      text.add("destination_service", service_of(key, names, host).host);
      text.add("response_code", is_overflow ? std::string(kUnknown) : decimal(key.code));
      text.add("response_flags", is_overflow ? std::string(kUnknown) : ::telemetry::flags_text(key.flags));
      break;
    }
    case Kind::endpoint: {
      text.add("destination_service", service_of(key, names, host).host);
      if (key.service == SeriesKey::kOverflowId) {
        text.add("destination_namespace", kUnknown).add("destination_pod", kOverflow);
        break;
      }
      const auto endpoint = names.endpoint({.ip = {.bytes = key.address}, .port = key.port});
      text.add("destination_namespace", endpoint.name_space).add("destination_pod", endpoint.pod);
      break;
    }
    case Kind::service:
      text.add("destination_service", service_of(key, names, host).host);
      break;
  }
  return text.take();
}

bool is_gone(Kind kind, const SeriesKey& key, const IdentityTable& names) {
  switch (kind) {
    case Kind::request:
    case Kind::tcp:
      return names.is_workload_gone(key.source);
    case Kind::pod:
    case Kind::pod_service:
    case Kind::pod_code:
      return names.is_pod_gone(key.pod);
    case Kind::endpoint:
    case Kind::service:
      return false;
  }
  return false;
}

}  // namespace agent::telemetry
