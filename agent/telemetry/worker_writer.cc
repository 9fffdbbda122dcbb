#include "agent/telemetry/worker_writer.h"

#include <array>
#include <string>

#include "agent/telemetry/label_text.h"
#include "agent/telemetry/metric_names.h"

namespace agent::telemetry {

using ::telemetry::kKinds;
using ::telemetry::LagHistogram;

namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {"request",  "tcp",      "pod",    "pod_service",
                                                             "pod_code", "endpoint", "service"};

}  // namespace

template <typename Get>
std::uint64_t WorkerWriter::sum(Get get_of) const {
  std::uint64_t total = 0;
  for (std::uint32_t w = 0; w < memory_.layout().workers; ++w) total += get_of(memory_.worker(w));
  return total;
}

void WorkerWriter::write_connections() {
  page_.family(metric::kConnections);
  for (std::size_t d = 0; d < ::telemetry::kDirectionNames.size(); ++d) {
    page_.sample(label("direction", ::telemetry::kDirectionNames[d]),
                 static_cast<std::int64_t>(sum([d](const auto& worker) { return get(worker.connections[d]); })));
  }
  page_.family(metric::kConnectionsTotal);
  for (std::size_t d = 0; d < ::telemetry::kDirectionNames.size(); ++d) {
    const std::string direction = label("direction", ::telemetry::kDirectionNames[d]);
    for (std::size_t r = 0; r < ::telemetry::kConnectionResultNames.size(); ++r) {
      page_.sample(with_label(direction, "result", ::telemetry::kConnectionResultNames[r]),
                   sum([d, r](const auto& worker) { return get(worker.connections_closed[d][r]); }));
    }
  }
}

void WorkerWriter::write_original_destination_misses() {
  page_.family(metric::kOriginalDestinationMisses);
  page_.sample({}, sum([](const auto& worker) { return get(worker.original_destination_misses); }));
}

void WorkerWriter::write_shortages() {
  page_.family(metric::kSocketShortages);
  page_.sample({}, sum([](const auto& worker) { return get(worker.socket_shortages); }));
  page_.family(metric::kMemoryRefusals);
  for (std::size_t s = 0; s < ::telemetry::kRefusalScopeNames.size(); ++s) {
    page_.sample(label("scope", ::telemetry::kRefusalScopeNames[s]),
                 sum([s](const auto& worker) { return get(worker.refusals[s]); }));
  }
}

void WorkerWriter::write_access_log() {
  page_.family(metric::kAccessLogLines);
  for (std::size_t r = 0; r < ::telemetry::kLogResultNames.size(); ++r) {
    page_.sample(label("result", ::telemetry::kLogResultNames[r]),
                 sum([r](const auto& worker) { return get(worker.access_log_lines[r]); }));
  }
}

void WorkerWriter::write_series() {
  page_.family(metric::kSeries);
  for (std::size_t k = 0; k < kKinds; ++k) {
    page_.sample(label("family", kKindNames[k]),
                 std::uint64_t{registry_.label_sets(static_cast<::telemetry::Kind>(k)).size()});
  }
  page_.family(metric::kSeriesOverflow);
  for (std::size_t k = 0; k < kKinds; ++k) {
    page_.sample(label("family", kKindNames[k]), sum([k](const auto& worker) { return get(worker.overflows[k]); }));
  }
  page_.family(metric::kSeriesExpired);
  for (std::size_t k = 0; k < kKinds; ++k) {
    page_.sample(label("family", kKindNames[k]), registry_.expired(static_cast<::telemetry::Kind>(k)));
  }
}

void WorkerWriter::write_loop_lag(const LoopLag& agent) {
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
}  // namespace agent::telemetry
