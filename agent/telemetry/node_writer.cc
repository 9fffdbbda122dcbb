#include "agent/telemetry/node_writer.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/telemetry/metric_names.h"
#include "agent/telemetry/process_stats.h"

namespace agent::telemetry {

template <typename Apply>
void NodeWriter::for_limits(const NodeState::ServiceState& service, Apply apply) {
  const std::string labels = label("destination_service", service.host);
  for (std::size_t i = 0; i < ::telemetry::kLimitKindNames.size(); ++i) {
    apply(with_label(labels, "limit", ::telemetry::kLimitKindNames[i]), i);
  }
}

template <std::size_t kCount>
void NodeWriter::by(const Family& family, std::string_view name, const std::array<std::string_view, kCount>& values,
                    const std::array<std::uint64_t, kCount>& counts) {
  page_.family(family);
  for (std::size_t i = 0; i < kCount; ++i) page_.sample(label(name, values[i]), counts[i]);
}

void NodeWriter::write_istio_build() {
  page_.family(metric::kIstioBuild);
  one(LabelText().add("component", "fairlead").add("tag", node_.version));
}

void NodeWriter::write_pods() {
  page_.family(metric::kPodInfo);
  for (const auto& pod : node_.pod_infos) {
    one(LabelText()
            .add("source_namespace", pod.name_space)
            .add("source_pod", pod.pod)
            .add("source_workload", pod.workload)
            .add("pod_ip", pod.ip));
  }
}

void NodeWriter::write_services() {
  page_.family(metric::kEndpointEjected);
  for (const auto& endpoint : node_.ejected_endpoints) {
    one(LabelText()
            .add("destination_service", endpoint.service)
            .add("destination_namespace", endpoint.name_space)
            .add("destination_pod", endpoint.pod));
  }
  page_.family(metric::kBreakerOpen);
  for (const auto& service : node_.services) {
    for_limits(service, [&](const std::string& labels, std::size_t i) {
      page_.sample(labels, std::uint64_t{service.is_open[i]});
    });
  }
  page_.family(metric::kBreakerInUse);
  for (const auto& service : node_.services) {
    for_limits(service, [&](const std::string& labels, std::size_t i) { page_.sample(labels, service.in_use[i]); });
  }
  page_.family(metric::kEndpoints);
  for (const auto& service : node_.services) {
    const std::string labels = label("destination_service", service.host);
    page_.sample(with_label(labels, "state", "healthy"), service.healthy);
    page_.sample(with_label(labels, "state", "draining"), service.draining);
    page_.sample(with_label(labels, "state", "ejected"), service.ejected);
  }
}

void NodeWriter::write_kube_watches() {
  const auto counts = [this](const Family& family, std::string_view name, auto member) {
    page_.family(family);
    for (const NodeState::KubeWatch& watch : node_.kube_watches) {
      for (const auto& each : watch.*member) {
        page_.sample(LabelText().add("resource", watch.resource).add(name, each.label).take(), each.count);
      }
    }
  };
  counts(metric::kKubeWatchEvents, "type", &NodeState::KubeWatch::events);
  counts(metric::kKubeWatchRestarts, "reason", &NodeState::KubeWatch::restarts);
  page_.family(metric::kKubeLastSync);
  for (const NodeState::KubeWatch& watch : node_.kube_watches) {
    if (!watch.last_sync) continue;
    page_.sample(label("resource", watch.resource),
                 std::chrono::duration<double>(watch.last_sync->time_since_epoch()).count());
  }
}

void NodeWriter::write_node() {
  page_.family(metric::kBuildInfo);
  one(LabelText()
          .add("version", node_.version)
          .add("revision", node_.revision.empty() ? "unknown" : node_.revision)
          .add("kernel", node_.kernel));
  number(metric::kProxyUp, std::uint64_t{node_.is_proxy_up});
  by(metric::kProxyRestarts, "reason", kRestartReasonNames, node_.proxy_restarts);
  number(metric::kConfigGeneration, node_.config_generation);
  number(metric::kProxyConfigGeneration, node_.proxy_config_generation);
  if (node_.config_last_success) {
    page_.family(metric::kConfigLastSuccess);
    page_.sample({}, std::chrono::duration<double>(node_.config_last_success->time_since_epoch()).count());
  }
  page_.family(metric::kPolicies);
  for (const auto& policies : node_.policies) {
    page_.sample(LabelText().add("kind", policies.kind).add("state", policies.state).take(), policies.count);
  }
  page_.family(metric::kPolicyRejects);
  for (const auto& rejects : node_.policy_rejects) {
    page_.sample(LabelText().add("kind", rejects.kind).add("reason", rejects.reason).take(), rejects.count);
  }
  write_kube_watches();
  by(metric::kPods, "state", kPodStateNames, node_.pods);
  page_.family(metric::kRedirects);
  for (const auto& redirects : node_.redirects) {
    page_.sample(LabelText().add("verdict", redirects.verdict).add("reason", redirects.reason).take(), redirects.count);
  }
  page_.family(metric::kBpfProgramAttached);
  for (const auto& program : node_.programs) {
    page_.sample(label("program", program.name), std::uint64_t{program.is_attached});
  }
  page_.family(metric::kBpfMapEntries);
  for (const auto& map : node_.maps) page_.sample(label("map", map.name), map.entries);
  page_.family(metric::kBpfMapMaxEntries);
  for (const auto& map : node_.maps) page_.sample(label("map", map.name), map.max_entries);
  if (node_.sockets_ready) number(metric::kSocketsReady, *node_.sockets_ready);
  number(metric::kLogDropped, node_.agent_log_dropped);
}

void NodeWriter::write_memory(std::uint64_t series_bytes, std::uint64_t buffered_bytes) {
  auto bytes = node_.memory_bytes;
  bytes[static_cast<std::size_t>(MemoryPool::series)] = series_bytes;
  bytes[static_cast<std::size_t>(MemoryPool::buffers)] = buffered_bytes;
  page_.family(metric::kMemoryBytes);
  for (std::size_t i = 0; i < kMemoryPoolNames.size(); ++i) {
    if (bytes[i]) page_.sample(label("pool", kMemoryPoolNames[i]), *bytes[i]);
  }
  page_.family(metric::kMemoryBudgetBytes);
  for (std::size_t i = 0; i < kMemoryPoolNames.size(); ++i) {
    if (const auto& budget = node_.memory_budget_bytes[i]) page_.sample(label("pool", kMemoryPoolNames[i]), *budget);
  }
}

void NodeWriter::write_processes() {
  struct Process {
    std::string labels;
    ProcessStats stats;
  };
  std::vector<Process> processes;
  for (const auto& [name, pid] : {std::pair{"agent", node_.agent_pid}, {"proxy", node_.proxy_pid}}) {
    if (pid == 0) continue;
    if (auto stats = read_process_stats(pid)) processes.push_back({label("process", name), *stats});
  }
  const auto family = [&](const Family& family, auto value_of) {
    page_.family(family);
    for (const Process& process : processes) {
      if (const auto value = value_of(process.stats)) page_.sample(process.labels, *value);
    }
  };
  family(metric::kProcessCpu, [](const ProcessStats& s) { return std::optional(s.cpu_seconds); });
  family(metric::kProcessResident, [](const ProcessStats& s) { return std::optional(s.resident_bytes); });
  family(metric::kProcessVirtual, [](const ProcessStats& s) { return std::optional(s.virtual_bytes); });
  family(metric::kProcessOpenFds, [](const ProcessStats& s) { return s.open_fds; });
  family(metric::kProcessMaxFds, [](const ProcessStats& s) { return s.max_fds; });
  family(metric::kProcessStartTime, [](const ProcessStats& s) { return std::optional(s.start_time_seconds); });
}

void NodeWriter::number(const Family& family, std::uint64_t value) {
  page_.family(family);
  page_.sample({}, value);
}
}  // namespace agent::telemetry
