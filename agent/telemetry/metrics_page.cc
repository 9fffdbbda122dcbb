#include "agent/telemetry/metrics_page.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "agent/telemetry/gzip.h"
#include "agent/telemetry/label_text.h"
#include "agent/telemetry/negotiation.h"
#include "agent/telemetry/node_writer.h"
#include "agent/telemetry/worker_writer.h"

namespace agent::telemetry {

using ::telemetry::Kind;
using ::telemetry::SeriesKey;

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
PodTcpRows MetricsPage::pod_tcp(const NodeState& node) {
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
  for (const auto& [labels, set] : sets) add(now[labels], std::span(set.values).subspan(::telemetry::row::pod::kTcp));
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
  workers.write_series();
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
