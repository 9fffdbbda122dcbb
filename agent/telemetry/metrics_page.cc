#include "agent/telemetry/metrics_page.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "agent/telemetry/gzip.h"
#include "agent/telemetry/label_text.h"
#include "agent/telemetry/metric_names.h"
#include "agent/telemetry/negotiation.h"
#include "agent/telemetry/process_stats.h"

namespace agent::telemetry {

using ::telemetry::IstioHistogram;
using ::telemetry::Kind;
using ::telemetry::kKinds;
using ::telemetry::LagHistogram;
using ::telemetry::PodHistogram;
using ::telemetry::RttHistogram;
using ::telemetry::SeriesKey;
using ::telemetry::Word;
namespace row = ::telemetry::row;

namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {"request",  "tcp",      "pod",    "pod_service",
                                                             "pod_code", "endpoint", "service"};

template <std::size_t kCount>
std::vector<std::string> bound_texts(const std::array<double, kCount>& bounds) {
  std::vector<std::string> texts;
  for (const double bound : bounds) texts.push_back(bound_text(bound));
  return texts;
}

std::string label(std::string_view name, std::string_view value) { return LabelText().add(name, value).take(); }

std::string with(const std::string& labels, std::string_view name, std::string_view value) {
  return labels + ',' + label(name, value);
}

std::uint64_t sum_of(std::span<const std::uint64_t> values) {
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  return sum;
}

// Writes the families of the page that come from shared memory.
class TrafficWriter {
 public:
  TrafficWriter(Page& page, const SeriesRegistry& registry) : page_(page), registry_(registry) {}

  void write_istio() {
    page_.family(metric::kIstioRequests);
    for (const auto& [labels, set] : sets(Kind::request)) {
      page_.sample(labels, sum_of(words(set, row::request::kDuration, IstioHistogram::kBuckets)));
    }
    const auto istio_bounds = bound_texts(::telemetry::kIstioBoundValues);
    constexpr double kNanosecondsInMillisecond = 1e6;
    write_histogram<IstioHistogram>(metric::kIstioRequestDuration, Kind::request, row::request::kDuration, istio_bounds,
                                    kNanosecondsInMillisecond);
    write_histogram<IstioHistogram>(metric::kIstioRequestBytes, Kind::request, row::request::kRequestBytes,
                                    istio_bounds, 1);
    write_histogram<IstioHistogram>(metric::kIstioResponseBytes, Kind::request, row::request::kResponseBytes,
                                    istio_bounds, 1);
    write_counter(metric::kIstioTcpOpened, Kind::tcp, row::tcp::kOpened);
    write_counter(metric::kIstioTcpClosed, Kind::tcp, row::tcp::kClosed);
    write_counter(metric::kIstioTcpSent, Kind::tcp, row::tcp::kSent);
    write_counter(metric::kIstioTcpReceived, Kind::tcp, row::tcp::kReceived);
  }

  void write_pods() {
    write_counter(metric::kPodRequests, Kind::pod_code, row::pod_code::kRequests);
    constexpr double kNanosecondsInSecond = 1e9;
    write_histogram<PodHistogram>(metric::kPodRequestDuration, Kind::pod_service, row::pod_service::kDuration,
                                  bound_texts(::telemetry::kPodBoundSeconds), kNanosecondsInSecond);
    write_by(metric::kPodAttempts, Kind::pod_service, row::pod_service::kAttempts, "outcome",
             ::telemetry::kAttemptOutcomeNames);
    write_gauge(metric::kPodConnections, Kind::pod, row::pod::kConnections);
    write_gauge(metric::kPodBufferedBytes, Kind::pod, row::pod::kBufferedBytes);
  }

  // `rows`: by label text.
  void write_pod_tcp(const std::map<std::string, ::telemetry::PodTcp, std::less<>>& rows) {
    constexpr double kNanosecondsInSecond = 1e9;
    const auto bounds = bound_texts(::telemetry::kRttBoundSeconds);
    const auto at = [](const ::telemetry::PodTcp& row, std::size_t word) { return row[word - row::pod::kTcp]; };
    page_.family(metric::kPodTcpRtt);
    for (const auto& [labels, row] : rows) {
      page_.histogram(labels, bounds, std::span(row).first(RttHistogram::kBuckets),
                      static_cast<double>(row[RttHistogram::kSum]) / kNanosecondsInSecond);
    }
    page_.family(metric::kPodTcpRetransmits);
    for (const auto& [labels, row] : rows) page_.sample(labels, at(row, row::pod::kRetransmits));
    page_.family(metric::kPodTcpResets);
    for (const auto& [labels, row] : rows) page_.sample(labels, at(row, row::pod::kResets));
    page_.family(metric::kPodTcpBytes);
    for (const auto& [labels, row] : rows) {
      page_.sample(with(labels, "direction", "sent"), at(row, row::pod::kSentBytes));
      page_.sample(with(labels, "direction", "received"), at(row, row::pod::kReceivedBytes));
    }
  }

  void write_endpoints() {
    write_by(metric::kEndpointAttempts, Kind::endpoint, row::endpoint::kAttempts, "outcome",
             ::telemetry::kAttemptOutcomeNames);
  }

  void write_services() {
    write_by(metric::kBreakerRejects, Kind::service, row::service::kRejects, "limit", ::telemetry::kLimitKindNames);
    write_by(metric::kEjections, Kind::service, row::service::kEjections, "reason", ::telemetry::kEjectionCauseNames);
    write_by(metric::kEjectionsSuppressed, Kind::service, row::service::kSuppressed, "reason",
             ::telemetry::kSuppressionCauseNames);
    write_by(metric::kRetries, Kind::service, row::service::kRetries, "outcome", ::telemetry::kRetryOutcomeNames);
    write_by(metric::kTimeouts, Kind::service, row::service::kTimeouts, "kind", ::telemetry::kTimeoutKindNames);
    write_by(metric::kFaults, Kind::service, row::service::kFaults, "kind", ::telemetry::kFaultKindNames);
  }

 private:
  [[nodiscard]] const SeriesRegistry::LabelSets& sets(Kind kind) const { return registry_.label_sets(kind); }
  static std::span<const std::uint64_t> words(const SeriesRegistry::LabelSet& set, std::size_t first,
                                              std::size_t count) {
    return std::span(set.values).subspan(first, count);
  }

  void write_counter(const Family& family, Kind kind, std::size_t word) {
    page_.family(family);
    for (const auto& [labels, set] : sets(kind)) page_.sample(labels, set.values[word]);
  }
  void write_gauge(const Family& family, Kind kind, std::size_t word) {
    page_.family(family);
    for (const auto& [labels, set] : sets(kind)) page_.sample(labels, static_cast<std::int64_t>(set.values[word]));
  }
  template <typename Histogram>
  void write_histogram(const Family& family, Kind kind, std::size_t first, const std::vector<std::string>& bounds,
                       double divisor) {
    page_.family(family);
    for (const auto& [labels, set] : sets(kind)) {
      page_.histogram(labels, bounds, words(set, first, Histogram::kBuckets),
                      static_cast<double>(set.values[first + Histogram::kSum]) / divisor);
    }
  }
  // One sample for each value of a label that a row has a word for.
  template <std::size_t kCount>
  void write_by(const Family& family, Kind kind, std::size_t first, std::string_view name,
                const std::array<std::string_view, kCount>& values) {
    page_.family(family);
    for (const auto& [labels, set] : sets(kind)) {
      for (std::size_t i = 0; i < kCount; ++i) page_.sample(with(labels, name, values[i]), set.values[first + i]);
    }
  }

  Page& page_;
  const SeriesRegistry& registry_;
};

// What workers count without a key.
class WorkerWriter {
 public:
  WorkerWriter(Page& page, const SeriesRegistry& registry) : page_(page), memory_(registry.memory()) {}

  void write_connections() {
    page_.family(metric::kConnections);
    for (std::size_t d = 0; d < ::telemetry::kDirectionNames.size(); ++d) {
      page_.sample(label("direction", ::telemetry::kDirectionNames[d]),
                   static_cast<std::int64_t>(sum([d](const auto& worker) { return get(worker.connections[d]); })));
    }
    page_.family(metric::kConnectionsTotal);
    for (std::size_t d = 0; d < ::telemetry::kDirectionNames.size(); ++d) {
      const std::string direction = label("direction", ::telemetry::kDirectionNames[d]);
      for (std::size_t r = 0; r < ::telemetry::kConnectionResultNames.size(); ++r) {
        page_.sample(with(direction, "result", ::telemetry::kConnectionResultNames[r]),
                     sum([d, r](const auto& worker) { return get(worker.connections_closed[d][r]); }));
      }
    }
  }
  void write_original_destination_misses() {
    page_.family(metric::kOriginalDestinationMisses);
    page_.sample({}, sum([](const auto& worker) { return get(worker.original_destination_misses); }));
  }
  void write_shortages() {
    page_.family(metric::kSocketShortages);
    page_.sample({}, sum([](const auto& worker) { return get(worker.socket_shortages); }));
    page_.family(metric::kMemoryRefusals);
    for (std::size_t s = 0; s < ::telemetry::kRefusalScopeNames.size(); ++s) {
      page_.sample(label("scope", ::telemetry::kRefusalScopeNames[s]),
                   sum([s](const auto& worker) { return get(worker.refusals[s]); }));
    }
  }
  void write_access_log() {
    page_.family(metric::kAccessLogLines);
    for (std::size_t r = 0; r < ::telemetry::kLogResultNames.size(); ++r) {
      page_.sample(label("result", ::telemetry::kLogResultNames[r]),
                   sum([r](const auto& worker) { return get(worker.access_log_lines[r]); }));
    }
  }
  void write_overflows() {
    page_.family(metric::kSeriesOverflow);
    for (std::size_t k = 0; k < kKinds; ++k) {
      page_.sample(label("family", kKindNames[k]), sum([k](const auto& worker) { return get(worker.overflows[k]); }));
    }
  }
  void write_loop_lag(const LoopLag& agent) {
    const auto bounds = bound_texts(::telemetry::kLagBoundSeconds);
    page_.family(metric::kLoopLag);
    page_.histogram(LabelText().add("process", "agent").add("worker", "0").take(), bounds, agent.buckets,
                    agent.sum_seconds);
    for (std::uint32_t w = 0; w < memory_.layout().workers; ++w) {
      const auto& lag = memory_.worker(w).loop_lag;
      std::array<std::uint64_t, LagHistogram::kBuckets> buckets;
      for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] = get(lag[i]);
      page_.histogram(LabelText().add("process", "proxy").add("worker", std::to_string(w)).take(), bounds, buckets,
                      static_cast<double>(get(lag[LagHistogram::kSum])) / 1e9);
    }
  }

 private:
  static std::uint64_t get(const Word& word) { return word.load(std::memory_order_relaxed); }
  template <typename Get>
  std::uint64_t sum(Get get_of) const {
    std::uint64_t total = 0;
    for (std::uint32_t w = 0; w < memory_.layout().workers; ++w) total += get_of(memory_.worker(w));
    return total;
  }

  Page& page_;
  const ::telemetry::SharedMemory& memory_;
};

// What the agent knows.
class NodeWriter {
 public:
  NodeWriter(Page& page, const NodeState& node) : page_(page), node_(node) {}

  void write_istio_build() {
    page_.family(metric::kIstioBuild);
    one(LabelText().add("component", "fairlead").add("tag", node_.version));
  }

  void write_pods() {
    page_.family(metric::kPodInfo);
    for (const auto& pod : node_.pod_infos) {
      one(LabelText()
              .add("source_namespace", pod.name_space)
              .add("source_pod", pod.pod)
              .add("source_workload", pod.workload)
              .add("pod_ip", pod.ip));
    }
  }

  void write_services() {
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
      page_.sample(with(labels, "state", "healthy"), service.healthy);
      page_.sample(with(labels, "state", "draining"), service.draining);
      page_.sample(with(labels, "state", "ejected"), service.ejected);
    }
  }

  void write_kube_watches() {
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

  void write_node() {
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
      page_.sample(LabelText().add("verdict", redirects.verdict).add("reason", redirects.reason).take(),
                   redirects.count);
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

  // What nobody measures is left out: a zero would be a claim.
  void write_memory(std::uint64_t series_bytes, std::uint64_t buffered_bytes) {
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

  void write_processes() {
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

 private:
  template <typename Apply>
  static void for_limits(const NodeState::ServiceState& service, Apply apply) {
    const std::string labels = label("destination_service", service.host);
    for (std::size_t i = 0; i < ::telemetry::kLimitKindNames.size(); ++i) {
      apply(with(labels, "limit", ::telemetry::kLimitKindNames[i]), i);
    }
  }
  void one(LabelText& labels) { page_.sample(labels.take(), std::uint64_t{1}); }
  void number(const Family& family, std::uint64_t value) {
    page_.family(family);
    page_.sample({}, value);
  }
  template <std::size_t kCount>
  void by(const Family& family, std::string_view name, const std::array<std::string_view, kCount>& values,
          const std::array<std::uint64_t, kCount>& counts) {
    page_.family(family);
    for (std::size_t i = 0; i < kCount; ++i) page_.sample(label(name, values[i]), counts[i]);
  }

  Page& page_;
  const NodeState& node_;
};

}  // namespace

void LoopLag::observe(std::chrono::nanoseconds lag) {
  const double seconds = std::chrono::duration<double>(lag).count();
  std::size_t bucket = 0;
  while (bucket < ::telemetry::kLagBounds && seconds > ::telemetry::kLagBoundSeconds[bucket]) ++bucket;
  ++buckets[bucket];
  sum_seconds += seconds;
}

ScrapeHead negotiate(const ScrapeRequest& request) {
  const PageFormat format = negotiate_format(request.accept);
  return {.format = format,
          .content_type = content_type(format),
          .content_encoding = accepts_gzip(request.accept_encoding) ? "gzip" : ""};
}

MetricsPage::MetricsPage(::telemetry::SharedMemory memory, const IdentityTable& names, TrafficLabelSettings settings)
    : names_(names),
      settings_(std::move(settings)),
      registry_(
          std::move(memory),
          [this](Kind kind, const SeriesKey& key) {
            const bool is_host = (key.service & SeriesKey::kHostBit) != 0 && key.service != SeriesKey::kOverflowId;
            const std::string host = is_host ? registry_.unknown_host(key.service & ~SeriesKey::kHostBit) : "";
            return traffic_labels(kind, key, names_, settings_, host);
          },
          [this](Kind kind, const SeriesKey& key) { return is_gone(kind, key, names_); }) {}

void MetricsPage::set_label_settings(TrafficLabelSettings settings) {
  settings_ = std::move(settings);
  registry_.relabel();
}

// A pod's rows in shared memory stay until they were scraped; the kernel's counts go with the cgroup. Together they
// must not count backwards meanwhile.
MetricsPage::PodTcpRows MetricsPage::pod_tcp(const NodeState& node) {
  const SeriesRegistry::LabelSets& sets = registry_.label_sets(Kind::pod);
  std::erase_if(kernel_tcp_, [&](const auto& entry) { return !sets.contains(entry.first); });
  PodTcpRows now;
  const auto add = [](::telemetry::PodTcp& to, std::span<const std::uint64_t> from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  for (const NodeState::PodTcp& pod : node.pod_tcp) {
    add(now[LabelText().add("source_namespace", pod.name_space).add("source_pod", pod.pod).take()], pod.counts);
  }
  for (const auto& [labels, counts] : now) kernel_tcp_[labels] = counts;
  now = kernel_tcp_;
  for (const auto& [labels, set] : sets) add(now[labels], std::span(set.values).subspan(row::pod::kTcp));
  return now;
}

void MetricsPage::write(const ScrapeHead& head, const NodeState& node, base::TimePoint now, const Page::Sink& sink) {
  registry_.collect(now);

  std::optional<GzipWriter> gzip;
  if (head.content_encoding == "gzip") gzip.emplace(sink);
  Page page(head.format, gzip ? Page::Sink([&gzip](std::string_view piece) { gzip->write(piece); }) : sink);
  TrafficWriter traffic(page, registry_);
  WorkerWriter workers(page, registry_);
  NodeWriter state(page, node);

  traffic.write_istio();
  state.write_istio_build();
  traffic.write_pods();
  state.write_pods();
  traffic.write_pod_tcp(pod_tcp(node));
  traffic.write_endpoints();
  traffic.write_services();
  state.write_services();
  state.write_node();
  workers.write_loop_lag(node.agent_loop_lag);
  workers.write_connections();
  workers.write_original_destination_misses();
  std::uint64_t buffered_bytes = 0;
  for (const auto& [labels, set] : registry_.label_sets(Kind::pod)) {
    buffered_bytes += set.values[::telemetry::row::pod::kBufferedBytes];
  }
  state.write_memory(registry_.series_bytes(), buffered_bytes);
  workers.write_shortages();
  page.family(metric::kSeries);
  for (std::size_t k = 0; k < kKinds; ++k) {
    page.sample(label("family", kKindNames[k]), std::uint64_t{registry_.label_sets(static_cast<Kind>(k)).size()});
  }
  workers.write_overflows();
  page.family(metric::kSeriesExpired);
  for (std::size_t k = 0; k < kKinds; ++k) {
    page.sample(label("family", kKindNames[k]), registry_.expired(static_cast<Kind>(k)));
  }
  workers.write_access_log();
  state.write_processes();
  page.finish();
  if (gzip) gzip->finish();
  registry_.mark_scraped();
}

std::string MetricsPage::render(const ScrapeHead& head, const NodeState& node, base::TimePoint now) {
  std::string body;
  body.reserve(largest_page_ + largest_page_ / 16);  // growing to it would touch as much memory again
  write(head, node, now, [&body](std::string_view piece) { body += piece; });
  largest_page_ = std::max(largest_page_, body.size());
  return body;
}

}  // namespace agent::telemetry
