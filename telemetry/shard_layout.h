#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "telemetry/events.h"

// The shared memory that the proxy's workers write and the agent reads: numbers only. The agent creates it, so it knows
// every size and offset without reading them back; a proxy that goes wrong can make numbers wrong, nothing else.
//
//   header | slots of each kind | unknown hosts | per worker: counters | rows of each kind
//
// A slot says which series (a key of numbers) an index stands for; it is shared by all workers and claimed once per
// node. Row i of a worker holds that worker's share of the series in slot i; the sum over workers is the series. A row
// has one writer and is valid only while its first word equals the generation of the slot, so an index can be reused
// without touching the rows of other workers.
namespace telemetry {

inline constexpr std::uint64_t kMagic = 0x3330'4554'4c52'4946;  // "FIRLTE03"
inline constexpr std::uint32_t kMaxWorkers = 256;
inline constexpr std::uint32_t kMaxSeriesLimit = 1U << 20;
inline constexpr std::uint32_t kUnknownHosts = 100;  // OBSERVABILITY 3
inline constexpr std::uint32_t kHostBytes = 248;

// Lock-free in every process that maps it.
using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8);

enum class Kind : std::uint8_t { request, tcp, pod, pod_service, pod_code, endpoint, service };
inline constexpr std::size_t kKinds = 7;

// What tells one series from another; the fields that a kind does not use are zero. Ids stand for strings that only
// the agent knows.
struct SeriesKey {
  // As `source`, `pod` and `service` of the set that takes what does not fit (label value `_overflow`).
  static constexpr std::uint32_t kOverflowId = 0xffff'ffff;
  // Set in `service`: the low bits are an index into the unknown hosts.
  static constexpr std::uint32_t kHostBit = 0x8000'0000;

  std::uint32_t source = 0;  // WorkloadIdentity::id
  std::uint32_t service = 0;
  std::uint32_t destination = 0;  // WorkloadIdentity::id; 0: no endpoint was chosen
  std::uint32_t pod = 0;
  std::uint32_t flags = 0;  // bits of proxy::telemetry::ResponseFlag
  std::uint16_t code = 0;   // 0, 100..599
  std::uint16_t port = 0;   // of `address`
  std::array<std::uint8_t, 16> address{};
  Reporter reporter = Reporter::source;
  RequestProtocol protocol = RequestProtocol::http;
  std::int8_t grpc_status = -1;
  std::uint8_t is_passthrough = 0;
  std::uint32_t padding = 0;

  bool operator==(const SeriesKey&) const = default;
};
inline constexpr std::size_t kKeyWords = 6;
static_assert(sizeof(SeriesKey) == kKeyWords * 8);
using KeyWords = std::array<std::uint64_t, kKeyWords>;

// Envoy's bounds, of durations (ms) and of sizes (bytes); the last bucket is +Inf. Integers: a size <= 0.5 is 0.
inline constexpr std::size_t kIstioBounds = 19;
inline constexpr std::array<double, kIstioBounds> kIstioBoundValues = {
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
inline constexpr std::size_t kPodBounds = 8;
inline constexpr std::array<double, kPodBounds> kPodBoundSeconds = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10};
inline constexpr std::size_t kLagBounds = 10;
inline constexpr std::array<double, kLagBounds> kLagBoundSeconds = {0.0001, 0.0005, 0.001, 0.005, 0.01,
                                                                    0.025,  0.05,   0.1,   0.5,   1};

inline constexpr std::size_t kRttBounds = 7;
inline constexpr std::array<double, kRttBounds> kRttBoundSeconds = {0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5};

// Buckets are not cumulative; `sum` follows them. The number of observations is the sum of the buckets, so what is
// read is consistent whenever it is read.
template <std::size_t kBounds>
struct HistogramWords {
  static constexpr std::size_t kBuckets = kBounds + 1;
  static constexpr std::size_t kSum = kBuckets;
  static constexpr std::size_t kSize = kBuckets + 1;
};
using IstioHistogram = HistogramWords<kIstioBounds>;
using PodHistogram = HistogramWords<kPodBounds>;
using LagHistogram = HistogramWords<kLagBounds>;
using RttHistogram = HistogramWords<kRttBounds>;

inline constexpr std::size_t kAttemptOutcomes = kAttemptOutcomeNames.size();

// Words of a row, by kind; word 0 of every row is its generation.
namespace row {
inline constexpr std::size_t kGeneration = 0;
namespace request {
inline constexpr std::size_t kDuration = 1;  // sum in ns
inline constexpr std::size_t kRequestBytes = kDuration + IstioHistogram::kSize;
inline constexpr std::size_t kResponseBytes = kRequestBytes + IstioHistogram::kSize;
inline constexpr std::size_t kWords = kResponseBytes + IstioHistogram::kSize;
}  // namespace request
namespace tcp {
enum : std::size_t { kOpened = 1, kClosed, kSent, kReceived, kWords };
}
namespace pod {
// Gauges: signed.
inline constexpr std::size_t kConnections = 1;
inline constexpr std::size_t kBufferedBytes = 2;
// Counters, of the connections made on the pod's behalf.
inline constexpr std::size_t kTcp = 3;
inline constexpr std::size_t kRtt = kTcp;  // sum in ns
inline constexpr std::size_t kRetransmits = kRtt + RttHistogram::kSize;
inline constexpr std::size_t kResets = kRetransmits + 1;
inline constexpr std::size_t kSentBytes = kResets + 1;
inline constexpr std::size_t kReceivedBytes = kSentBytes + 1;
inline constexpr std::size_t kWords = kReceivedBytes + 1;
}  // namespace pod
namespace pod_service {
inline constexpr std::size_t kDuration = 1;  // sum in ns
inline constexpr std::size_t kAttempts = kDuration + PodHistogram::kSize;
inline constexpr std::size_t kWords = kAttempts + kAttemptOutcomes;
}  // namespace pod_service
namespace pod_code {
enum : std::size_t { kRequests = 1, kWords };
}
namespace endpoint {
inline constexpr std::size_t kAttempts = 1;
inline constexpr std::size_t kWords = kAttempts + kAttemptOutcomes;
}  // namespace endpoint
namespace service {
inline constexpr std::size_t kRetries = 1;
inline constexpr std::size_t kTimeouts = kRetries + kRetryOutcomeNames.size();
inline constexpr std::size_t kFaults = kTimeouts + kTimeoutKindNames.size();
inline constexpr std::size_t kRejects = kFaults + kFaultKindNames.size();
inline constexpr std::size_t kEjections = kRejects + kLimitKindNames.size();
inline constexpr std::size_t kSuppressed = kEjections + kEjectionCauseNames.size();
inline constexpr std::size_t kWords = kSuppressed + kSuppressionCauseNames.size();
}  // namespace service
}  // namespace row

// The words of a pod's row that are about TCP, wherever they were counted.
using PodTcp = std::array<std::uint64_t, row::pod::kWords - row::pod::kTcp>;

inline constexpr std::array<std::size_t, kKinds> kRowWords = {
    row::request::kWords,  row::tcp::kWords,      row::pod::kWords,    row::pod_service::kWords,
    row::pod_code::kWords, row::endpoint::kWords, row::service::kWords};
static_assert(row::request::kWords * 8 == 512);

// One index of a kind. `tag` is generation << 2 | state. The key is valid when `tag` says so before and after reading.
enum class SlotState : std::uint8_t {
  free,
  claimed,  // a worker is writing the key
  active,
  retiring,  // the agent wants it gone; a worker that needs it again makes it active
};
struct Slot {
  Word tag;
  std::array<Word, kKeyWords> key;
  Word reserved;
};
static_assert(sizeof(Slot) == 64);
[[nodiscard]] constexpr SlotState slot_state(std::uint64_t tag) { return static_cast<SlotState>(tag & 3U); }
[[nodiscard]] constexpr std::uint64_t slot_generation(std::uint64_t tag) { return tag >> 2U; }
[[nodiscard]] constexpr std::uint64_t slot_tag(std::uint64_t generation, SlotState state) {
  return generation << 2U | static_cast<std::uint64_t>(state);
}

// The Host of requests to addresses that no Service has, in the order of their first use; never removed.
struct HostSlot {
  Word size;  // 0: free; written last
  std::array<Word, kHostBytes / 8> text;
};
static_assert(sizeof(HostSlot) == 256);

// What a worker counts without a key.
struct WorkerCounters {
  Word retire_seen;  // Header::retire_sequence up to which this worker holds no handle of a retiring slot
  Word heartbeat;    // grows with every tick
  std::array<Word, 2> connections;
  std::array<std::array<Word, 4>, 2> connections_closed;  // Direction x ConnectionResult
  Word original_destination_misses;
  std::array<Word, 3> access_log_lines;  // LogResult
  std::array<Word, kKinds> overflows;    // observations that went to the overflow set
  std::array<Word, LagHistogram::kSize> loop_lag;
  std::array<Word, kRefusalScopeNames.size()> refusals;
  Word socket_shortages;
};

struct Header {
  // Written once by the agent.
  std::uint64_t magic;
  std::uint32_t workers;
  std::uint32_t max_series;
  // Written by the proxy.
  alignas(64) Word attached_workers;
  std::array<Word, kKinds> high_water;  // slots ever used; the ones above are free
  // Written by the agent.
  alignas(64) Word retire_sequence;  // grows when slots became retiring
  Word freed_sequence;               // grows when slots became free
};

// Offsets of the parts; a function of what the agent chose, never of what the memory says.
struct Layout {
  std::uint32_t workers = 0;
  std::uint32_t max_series = 0;

  // Slots 0 and 1 of each kind are kept for the overflow sets of the two reporters.
  static constexpr std::uint32_t kOverflowSlots = 2;
  [[nodiscard]] constexpr std::uint32_t capacity() const { return max_series + kOverflowSlots; }
  [[nodiscard]] constexpr std::size_t slots(Kind kind) const {
    return kPage + static_cast<std::size_t>(kind) * page_up(capacity() * sizeof(Slot));
  }
  [[nodiscard]] constexpr std::size_t hosts() const { return kPage + kKinds * page_up(capacity() * sizeof(Slot)); }
  [[nodiscard]] constexpr std::size_t worker(std::uint32_t index) const {
    return hosts() + page_up(kUnknownHosts * sizeof(HostSlot)) + index * worker_bytes();
  }
  [[nodiscard]] constexpr std::size_t rows(std::uint32_t worker_index, Kind kind) const {
    std::size_t offset = worker(worker_index) + page_up(sizeof(WorkerCounters));
    for (std::size_t i = 0; i < static_cast<std::size_t>(kind); ++i) offset += row_bytes(i);
    return offset;
  }
  [[nodiscard]] constexpr std::size_t total() const { return worker(workers); }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t page_up(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
  [[nodiscard]] constexpr std::size_t row_bytes(std::size_t kind) const {
    return page_up(capacity() * kRowWords[kind] * sizeof(Word));
  }
  [[nodiscard]] constexpr std::size_t worker_bytes() const {
    std::size_t bytes = page_up(sizeof(WorkerCounters));
    for (std::size_t i = 0; i < kKinds; ++i) bytes += row_bytes(i);
    return bytes;
  }
};
static_assert(sizeof(Header) <= 4096);

}  // namespace telemetry
