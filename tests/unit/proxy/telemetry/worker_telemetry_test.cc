#include "proxy/telemetry/worker_telemetry.h"

#include <gtest/gtest.h>

#include <optional>

namespace proxy::telemetry {
namespace {

using namespace std::chrono_literals;
using ::telemetry::IstioHistogram;
using ::telemetry::Kind;
using ::telemetry::Reporter;
using ::telemetry::SeriesKey;
using ::telemetry::SlotState;
using ::telemetry::Word;
namespace row = ::telemetry::row;

struct WorkerTelemetryTest : testing::Test {
  WorkerTelemetryTest() {
    service.id = 7;
    source.id = 3;
    endpoint.identity.id = 5;
    endpoint.address = *base::SocketAddress::parse("10.0.0.1:3000");
    pod.id = 9;
  }

  RequestRecord request() {
    RequestRecord record;
    record.config = &config;
    record.pod = &pod;
    record.source = &source;
    record.service = &service;
    record.endpoint = &endpoint;
    record.response_code = 200;
    record.duration = 3ms;
    record.request_wire_bytes = 100;
    record.response_wire_bytes = 2000;
    return record;
  }
  AttemptRecord attempt() {
    AttemptRecord record;
    record.config = &config;
    record.pod = &pod;
    record.source = &source;
    record.service = &service;
    record.endpoint = &endpoint;
    record.was_sent = true;
    record.response_code = 200;
    record.duration = 3ms;
    return record;
  }

  // The words of a series that was counted before; fails if there is none.
  std::vector<std::uint64_t> row_of(Kind kind, const SeriesKey& key) {
    const auto words = std::bit_cast<::telemetry::KeyWords>(key);
    const auto& memory = shards->memory();
    for (std::uint32_t i = 0; i < memory.layout().capacity(); ++i) {
      const auto& slot = memory.slot(kind, i);
      if (::telemetry::slot_state(slot.tag.load()) == SlotState::free) continue;
      if (!std::equal(words.begin(), words.end(), slot.key.begin(),
                      [](std::uint64_t a, const Word& b) { return a == b.load(); })) {
        continue;
      }
      std::vector<std::uint64_t> values;
      for (std::size_t w = 0; w < ::telemetry::kRowWords[static_cast<std::size_t>(kind)]; ++w) {
        values.push_back(memory.row(0, kind, i)[w].load());
      }
      return values;
    }
    ADD_FAILURE() << "no such series";
    return std::vector<std::uint64_t>(100);
  }
  std::uint32_t series(Kind kind) {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < shards->memory().layout().capacity(); ++i) {
      if (::telemetry::slot_state(shards->memory().slot(kind, i).tag.load()) != SlotState::free) ++count;
    }
    return count;
  }

  config::NodeConfig config;
  config::Service service;
  config::WorkloadIdentity source;
  config::Endpoint endpoint;
  config::Pod pod;
  std::unique_ptr<ShardSet> shards = *ShardSet::create_private(1, 100);
  WorkerTelemetry telemetry{*shards, 0};
};

TEST_F(WorkerTelemetryTest, CountsARequestInItsSourceRowAndInTheRowsOfItsPod) {
  telemetry.on_request(request());
  telemetry.on_request(request());
  const auto source_row = row_of(Kind::request, {.source = 3, .service = 7, .destination = 5, .code = 200});
  EXPECT_EQ(source_row[row::request::kDuration + 2], 2U);  // 1 < 3 <= 5 ms
  EXPECT_EQ(source_row[row::request::kDuration + IstioHistogram::kSum], 6'000'000U);
  EXPECT_EQ(source_row[row::request::kRequestBytes + 6], 2U);    // <= 100
  EXPECT_EQ(source_row[row::request::kResponseBytes + 10], 2U);  // <= 2500
  EXPECT_EQ(row_of(Kind::pod_code, {.service = 7, .pod = 9, .code = 200})[row::pod_code::kRequests], 2U);
  EXPECT_EQ(row_of(Kind::pod_service, {.service = 7, .pod = 9})[row::pod_service::kDuration], 2U);  // <= 5 ms
}

TEST_F(WorkerTelemetryTest, PutsAValueEqualToABoundIntoItsBucket) {
  auto record = request();
  record.duration = 500us;
  record.request_wire_bytes = 0;
  record.response_wire_bytes = 3'600'001;
  telemetry.on_request(record);
  const auto values = row_of(Kind::request, {.source = 3, .service = 7, .destination = 5, .code = 200});
  EXPECT_EQ(values[row::request::kDuration], 1U);
  EXPECT_EQ(values[row::request::kRequestBytes], 1U);
  EXPECT_EQ(values[row::request::kResponseBytes + 19], 1U);  // +Inf
}

TEST_F(WorkerTelemetryTest, CountsASentAttemptAsTheDestinationWouldAndAtItsEndpoint) {
  telemetry.on_attempt(attempt());
  row_of(Kind::request, {.source = 3, .service = 7, .destination = 5, .code = 200, .reporter = Reporter::destination});
  const auto at_endpoint = row_of(Kind::endpoint, {.service = 7, .port = 3000, .address = endpoint.address.ip.bytes});
  EXPECT_EQ(at_endpoint[row::endpoint::kAttempts + static_cast<std::size_t>(AttemptOutcome::success)], 1U);
  const auto of_pod = row_of(Kind::pod_service, {.service = 7, .pod = 9});
  EXPECT_EQ(of_pod[row::pod_service::kAttempts + static_cast<std::size_t>(AttemptOutcome::success)], 1U);
}

TEST_F(WorkerTelemetryTest, GivesNoDestinationRowToAnAttemptThatWasNotSent) {
  auto record = attempt();
  record.was_sent = false;
  record.outcome = AttemptOutcome::connect_failure;
  telemetry.on_attempt(record);
  EXPECT_EQ(series(Kind::request), 0U);
  EXPECT_EQ(series(Kind::endpoint), 1U);
}

TEST_F(WorkerTelemetryTest, GivesNoDestinationRowWhenTheDestinationReportsItself) {
  config.settings.reports_destination = false;
  telemetry.on_attempt(attempt());
  EXPECT_EQ(series(Kind::request), 0U);
}

TEST_F(WorkerTelemetryTest, ShowsCodesOutsideTheUsualRangeAsZero) {
  for (const int code : {0, 99, 600, 999}) {
    auto record = request();
    record.response_code = static_cast<std::uint16_t>(code);
    telemetry.on_request(record);
  }
  EXPECT_EQ(series(Kind::request), 1U);
}

TEST_F(WorkerTelemetryTest, KeepsTotalsRightWhenSeriesDoNotFit) {
  config.settings.max_series = 3;  // the first request takes all three
  for (std::uint16_t code = 200; code < 210; ++code) {
    auto record = request();
    record.response_code = code;
    telemetry.on_request(record);
  }
  constexpr auto kOverflow = SeriesKey::kOverflowId;
  const auto overflow =
      row_of(Kind::request, {.source = kOverflow, .service = kOverflow, .destination = kOverflow, .pod = kOverflow});
  EXPECT_EQ(overflow[row::request::kDuration + 2], 9U);
  const auto& counters = shards->memory().worker(0);
  EXPECT_EQ(counters.overflows[static_cast<std::size_t>(Kind::request)].load(), 9U);
  EXPECT_EQ(counters.overflows[static_cast<std::size_t>(Kind::pod_code)].load(), 9U);
  EXPECT_EQ(counters.overflows[static_cast<std::size_t>(Kind::pod_service)].load(), 0U);
}

TEST_F(WorkerTelemetryTest, NamesAnUnknownHostByItsAuthority) {
  auto record = request();
  record.service = nullptr;
  record.endpoint = nullptr;
  record.authority = "Example.org";
  record.is_passthrough = true;
  telemetry.on_request(record);
  row_of(Kind::request, {.source = 3, .service = SeriesKey::kHostBit, .code = 200, .is_passthrough = 1});
}

TEST_F(WorkerTelemetryTest, GaugesGoUpAndDown) {
  telemetry.on_downstream_opened(9);
  telemetry.on_downstream_opened(9);
  telemetry.on_downstream_closed(9, ConnectionResult::reset);
  telemetry.on_buffered(9, 4096);
  telemetry.on_buffered(9, -4000);
  telemetry.on_upstream_opened();
  telemetry.on_upstream_closed(ConnectionResult::closed);
  telemetry.on_upstream_failed(ConnectionResult::refused);
  const auto of_pod = row_of(Kind::pod, {.pod = 9});
  EXPECT_EQ(of_pod[row::pod::kConnections], 1U);
  EXPECT_EQ(of_pod[row::pod::kBufferedBytes], 96U);
  const auto& counters = shards->memory().worker(0);
  EXPECT_EQ(counters.connections[0].load(), 1U);
  EXPECT_EQ(counters.connections[1].load(), 0U);
  EXPECT_EQ(counters.connections_closed[0][1].load(), 1U);
  EXPECT_EQ(counters.connections_closed[1][0].load(), 1U);
  EXPECT_EQ(counters.connections_closed[1][3].load(), 1U);
}

TEST_F(WorkerTelemetryTest, CountsEventsOfAServiceSeparately) {
  telemetry.on_retry(7, RetryOutcome::budget);
  telemetry.on_timeout(7, TimeoutKind::idle);
  telemetry.on_fault(7, FaultKind::abort);
  telemetry.on_limit_reject(7, LimitKind::retries);
  telemetry.on_ejection(7, EjectionCause::failure_percentage);
  telemetry.on_ejection_suppressed(7, SuppressionCause::panic);
  const auto values = row_of(Kind::service, {.service = 7});
  for (const std::size_t word :
       {row::service::kRetries + 3, row::service::kTimeouts + 3, row::service::kFaults + 1, row::service::kRejects + 3,
        row::service::kEjections + 4, row::service::kSuppressed + 1}) {
    EXPECT_EQ(values[word], 1U) << word;
  }
}

TEST_F(WorkerTelemetryTest, ReportsTcpAtBothEnds) {
  const TcpRecord record{.config = &config, .pod = &pod, .source = &source, .service = &service, .endpoint = &endpoint};
  telemetry.on_tcp_opened(record);
  telemetry.on_tcp_bytes(record, 10, 20);
  telemetry.on_tcp_closed(record);
  for (const Reporter reporter : {Reporter::source, Reporter::destination}) {
    const auto values = row_of(Kind::tcp, {.source = 3,
                                           .service = 7,
                                           .destination = 5,
                                           .reporter = reporter,
                                           .protocol = ::telemetry::RequestProtocol::tcp});
    EXPECT_EQ((std::vector<std::uint64_t>(values.begin() + 1, values.end())),
              (std::vector<std::uint64_t>{1, 1, 10, 20}));
  }
}

TEST_F(WorkerTelemetryTest, GivesUpHandlesOfRetiringSeriesAtTheNextTick) {
  telemetry.on_request(request());
  auto& slot = shards->memory().slot(Kind::request, 2);
  const auto generation = ::telemetry::slot_generation(slot.tag.load());
  slot.tag.store(::telemetry::slot_tag(generation, SlotState::retiring));
  auto& header = shards->memory().header();
  header.retire_sequence.store(1);
  EXPECT_EQ(shards->memory().worker(0).retire_seen.load(), 0U);
  telemetry.tick();
  EXPECT_EQ(shards->memory().worker(0).retire_seen.load(), 1U);

  // Now the agent frees it; the same request gets a new, empty row.
  slot.tag.store(::telemetry::slot_tag(generation, SlotState::free));
  header.freed_sequence.store(1);
  telemetry.on_request(request());
  const auto values = row_of(Kind::request, {.source = 3, .service = 7, .destination = 5, .code = 200});
  EXPECT_EQ(values[row::request::kDuration + 2], 1U);
  EXPECT_GT(values[0], generation);
}

}  // namespace
}  // namespace proxy::telemetry
