#include "agent/telemetry/traffic_writer.h"

#include <numeric>

#include "agent/telemetry/label_text.h"
#include "agent/telemetry/metric_names.h"

namespace agent::telemetry {

using ::telemetry::IstioHistogram;
using ::telemetry::Kind;
using ::telemetry::PodHistogram;
using ::telemetry::RttHistogram;
namespace row = ::telemetry::row;

namespace {

constexpr double kNanosecondsInSecond = 1e9;

std::uint64_t sum_of(std::span<const std::uint64_t> values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

}  // namespace

template <typename Histogram>
void TrafficWriter::write_histogram(const Family& family, Kind kind, std::size_t first,
                                    const std::vector<std::string>& bounds, double divisor) {
  page_.family(family);
  for (const auto& [labels, set] : sets(kind)) {
    page_.histogram(labels, bounds, words(set, first, Histogram::kBuckets),
                    static_cast<double>(set.values[first + Histogram::kSum]) / divisor);
  }
}

template <std::size_t kCount>
void TrafficWriter::write_by(const Family& family, Kind kind, std::size_t first, std::string_view name,
                             const std::array<std::string_view, kCount>& values) {
  page_.family(family);
  for (const auto& [labels, set] : sets(kind)) {
    for (std::size_t i = 0; i < kCount; ++i) page_.sample(with_label(labels, name, values[i]), set.values[first + i]);
  }
}

void TrafficWriter::write_istio() {
  page_.family(metric::kIstioRequests);
  for (const auto& [labels, set] : sets(Kind::request)) {
    page_.sample(labels, sum_of(words(set, row::request::kDuration, IstioHistogram::kBuckets)));
  }
  const auto istio_bounds = bound_texts(::telemetry::kIstioBoundValues);
  constexpr double kNanosecondsInMillisecond = 1e6;
  write_histogram<IstioHistogram>(metric::kIstioRequestDuration, Kind::request, row::request::kDuration, istio_bounds,
                                  kNanosecondsInMillisecond);
  write_histogram<IstioHistogram>(metric::kIstioRequestBytes, Kind::request, row::request::kRequestBytes, istio_bounds,
                                  1);
  write_histogram<IstioHistogram>(metric::kIstioResponseBytes, Kind::request, row::request::kResponseBytes,
                                  istio_bounds, 1);
  write_counter(metric::kIstioTcpOpened, Kind::tcp, row::tcp::kOpened);
  write_counter(metric::kIstioTcpClosed, Kind::tcp, row::tcp::kClosed);
  write_counter(metric::kIstioTcpSent, Kind::tcp, row::tcp::kSent);
  write_counter(metric::kIstioTcpReceived, Kind::tcp, row::tcp::kReceived);
}

void TrafficWriter::write_pods() {
  write_counter(metric::kPodRequests, Kind::pod_code, row::pod_code::kRequests);
  write_histogram<PodHistogram>(metric::kPodRequestDuration, Kind::pod_service, row::pod_service::kDuration,
                                bound_texts(::telemetry::kPodBoundSeconds), kNanosecondsInSecond);
  write_by(metric::kPodAttempts, Kind::pod_service, row::pod_service::kAttempts, "outcome",
           ::telemetry::kAttemptOutcomeNames);
  write_gauge(metric::kPodConnections, Kind::pod, row::pod::kConnections);
  write_gauge(metric::kPodBufferedBytes, Kind::pod, row::pod::kBufferedBytes);
}

void TrafficWriter::write_pod_tcp(const PodTcpRows& rows) {
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
    page_.sample(with_label(labels, "direction", "sent"), at(row, row::pod::kSentBytes));
    page_.sample(with_label(labels, "direction", "received"), at(row, row::pod::kReceivedBytes));
  }
}

void TrafficWriter::write_endpoints() {
  write_by(metric::kEndpointAttempts, Kind::endpoint, row::endpoint::kAttempts, "outcome",
           ::telemetry::kAttemptOutcomeNames);
}

void TrafficWriter::write_services() {
  write_by(metric::kBreakerRejects, Kind::service, row::service::kRejects, "limit", ::telemetry::kLimitKindNames);
  write_by(metric::kEjections, Kind::service, row::service::kEjections, "reason", ::telemetry::kEjectionCauseNames);
  write_by(metric::kEjectionsSuppressed, Kind::service, row::service::kSuppressed, "reason",
           ::telemetry::kSuppressionCauseNames);
  write_by(metric::kRetries, Kind::service, row::service::kRetries, "outcome", ::telemetry::kRetryOutcomeNames);
  write_by(metric::kTimeouts, Kind::service, row::service::kTimeouts, "kind", ::telemetry::kTimeoutKindNames);
  write_by(metric::kFaults, Kind::service, row::service::kFaults, "kind", ::telemetry::kFaultKindNames);
}

std::span<const std::uint64_t> TrafficWriter::words(const SeriesRegistry::LabelSet& set, std::size_t first,
                                                    std::size_t count) {
  return std::span(set.values).subspan(first, count);
}

void TrafficWriter::write_counter(const Family& family, Kind kind, std::size_t word) {
  page_.family(family);
  for (const auto& [labels, set] : sets(kind)) page_.sample(labels, set.values[word]);
}

void TrafficWriter::write_gauge(const Family& family, Kind kind, std::size_t word) {
  page_.family(family);
  for (const auto& [labels, set] : sets(kind)) page_.sample(labels, static_cast<std::int64_t>(set.values[word]));
}
}  // namespace agent::telemetry
