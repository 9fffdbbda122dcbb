#include "proxy/telemetry/worker_telemetry.h"

#include <boost/unordered/unordered_flat_map.hpp>

namespace proxy::telemetry {

using ::telemetry::IstioHistogram;
using ::telemetry::KeyWords;
using ::telemetry::kHostBytes;
using ::telemetry::Kind;
using ::telemetry::PodHistogram;
using ::telemetry::Reporter;
using ::telemetry::RequestProtocol;
using ::telemetry::SeriesKey;
using ::telemetry::Word;
using ::telemetry::WorkerCounters;
namespace row = ::telemetry::row;

namespace {

// Only this worker writes the word, so no read-modify-write instruction is needed.
void add(Word& word, std::uint64_t n) {
  word.store(word.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

template <std::size_t kCount>
consteval std::array<std::uint64_t, kCount> scaled(const std::array<double, kCount>& bounds, double factor) {
  std::array<std::uint64_t, kCount> result{};
  for (std::size_t i = 0; i < kCount; ++i) result[i] = static_cast<std::uint64_t>(bounds[i] * factor + 1e-6);
  return result;
}
constexpr auto kDurationBounds = scaled(::telemetry::kIstioBoundValues, 1e6);  // ms in ns
constexpr auto kSizeBounds = scaled(::telemetry::kIstioBoundValues, 1);
constexpr auto kPodBounds = scaled(::telemetry::kPodBoundSeconds, 1e9);
constexpr auto kRttBounds = scaled(::telemetry::kRttBoundSeconds, 1e9);
constexpr auto kLagBounds = scaled(::telemetry::kLagBoundSeconds, 1e9);

template <std::size_t kCount>
void observe(Word* histogram, const std::array<std::uint64_t, kCount>& bounds, std::uint64_t value) {
  std::size_t bucket = 0;
  while (bucket < kCount && value > bounds[bucket]) ++bucket;
  add(histogram[bucket], 1);
  add(histogram[kCount + 1], value);
}

std::uint64_t nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

std::uint16_t shown_code(std::uint16_t code) { return code >= 100 && code <= 599 ? code : 0; }

// A row that observations go to, and whether it is only the overflow set.
struct RowRef {
  Word* words = nullptr;
  bool is_overflow = false;
};

struct RequestRows {
  RowRef request, pod_code, pod_service;
};
struct AttemptRows {
  RowRef request, pod_service, endpoint;  // `request` is empty when there is no destination row
};
struct TcpRows {
  RowRef source, destination;
};

// Everything that decides about the rows of one call. SeriesKey has all of it but the last.
struct CallKey {
  KeyWords words;
  bool has_destination_row = false;
  bool operator==(const CallKey&) const = default;
};
struct CallKeyHash {
  std::size_t operator()(const CallKey& key) const {
    std::uint64_t hash = key.has_destination_row ? 1 : 0;
    for (const std::uint64_t word : key.words) {
      hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15;
      hash ^= hash >> 32U;
    }
    return hash;
  }
};
template <typename Rows>
using CallMap = boost::unordered_flat_map<CallKey, Rows, CallKeyHash>;

struct HostHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

}  // namespace

// Handles this worker has resolved. All are dropped together: when the agent wants series gone, and before a flood of
// distinct keys could make the maps large.
struct WorkerTelemetry::Cache {
  static constexpr std::size_t kMaxEntries = 16384;

  ShardSet& shards;
  const std::uint32_t worker;
  WorkerCounters& counters;
  std::uint32_t max_series;
  CallMap<RequestRows> requests;
  CallMap<AttemptRows> attempts;
  CallMap<TcpRows> tcp;
  boost::unordered_flat_map<std::uint32_t, RowRef> pods, services;
  boost::unordered_flat_map<std::string, std::uint32_t, HostHash, std::equal_to<>> hosts;
  std::uint64_t freed_seen = 0;

  void clear() {
    requests.clear();
    attempts.clear();
    tcp.clear();
    pods.clear();
    services.clear();
  }

  RowRef resolve(Kind kind, const SeriesKey& key) {
    const ShardSet::Handle handle = shards.resolve(kind, key, max_series);
    return {.words = shards.row(worker, kind, handle), .is_overflow = handle.is_overflow};
  }

  // Counts what does not fit under its own name.
  Word* use(Kind kind, const RowRef& row) const {
    if (row.is_overflow) add(counters.overflows[static_cast<std::size_t>(kind)], 1);
    return row.words;
  }

  Word* pod(std::uint32_t id) {
    RowRef& found = pods[id];
    if (found.words == nullptr) found = resolve(Kind::pod, {.pod = id});
    return use(Kind::pod, found);
  }
  Word* service(std::uint32_t id) {
    RowRef& found = services[id];
    if (found.words == nullptr) found = resolve(Kind::service, {.service = id});
    return use(Kind::service, found);
  }

  std::uint32_t host(std::string_view name) {
    if (name.size() > kHostBytes) return 0;
    const auto found = hosts.find(name);
    if (found != hosts.end()) return found->second;
    const std::uint32_t index = shards.resolve_host(name);
    // Spellings of one name, and names beyond the limit, are not worth remembering for ever.
    if (hosts.size() < std::size_t{4} * ::telemetry::kUnknownHosts) hosts.emplace(name, index);
    return index;
  }

  template <typename Record>
  SeriesKey key_of(const Record& record, std::string_view authority) {
    SeriesKey key;
    if (record.config != nullptr) max_series = record.config->settings.max_series;
    if (record.source != nullptr) key.source = record.source->id;
    if (record.endpoint != nullptr) key.destination = record.endpoint->identity.id;
    if (record.service != nullptr) {
      key.service = record.service->id;
    } else {
      key.service = host(authority);
      key.is_passthrough = record.is_passthrough ? 1 : 0;
    }
    if (record.pod != nullptr) key.pod = record.pod->id;
    key.flags = record.flags;
    return key;
  }
};

WorkerTelemetry::WorkerTelemetry(ShardSet& shards, std::uint32_t worker)
    : cache_(new Cache{.shards = shards,
                       .worker = worker,
                       .counters = shards.memory().worker(worker),
                       .max_series = shards.memory().layout().max_series,
                       .requests = {},
                       .attempts = {},
                       .tcp = {},
                       .pods = {},
                       .services = {},
                       .hosts = {}}) {}
WorkerTelemetry::~WorkerTelemetry() = default;

void WorkerTelemetry::on_request(const RequestRecord& record) {
  SeriesKey key = cache_->key_of(record, record.authority);
  key.code = shown_code(record.response_code);
  key.protocol = record.is_grpc ? RequestProtocol::grpc : RequestProtocol::http;
  key.grpc_status = static_cast<std::int8_t>(record.is_grpc ? record.grpc_status : -1);
  if (cache_->requests.size() >= Cache::kMaxEntries) cache_->clear();
  RequestRows& rows = cache_->requests[{.words = std::bit_cast<KeyWords>(key)}];
  if (rows.request.words == nullptr) {
    SeriesKey request = key;
    request.pod = 0;
    rows.request = cache_->resolve(Kind::request, request);
    rows.pod_code =
        cache_->resolve(Kind::pod_code, {.service = key.service, .pod = key.pod, .flags = key.flags, .code = key.code});
    rows.pod_service = cache_->resolve(Kind::pod_service, {.service = key.service, .pod = key.pod});
  }
  const std::uint64_t duration = nanoseconds(record.duration);
  Word* const request = cache_->use(Kind::request, rows.request);
  observe(request + row::request::kDuration, kDurationBounds, duration);
  observe(request + row::request::kRequestBytes, kSizeBounds, record.request_wire_bytes);
  observe(request + row::request::kResponseBytes, kSizeBounds, record.response_wire_bytes);
  add(cache_->use(Kind::pod_code, rows.pod_code)[row::pod_code::kRequests], 1);
  observe(cache_->use(Kind::pod_service, rows.pod_service) + row::pod_service::kDuration, kPodBounds, duration);
}

void WorkerTelemetry::on_attempt(const AttemptRecord& record) {
  SeriesKey key = cache_->key_of(record, record.authority);
  const bool is_reported = record.was_sent && record.endpoint != nullptr &&
                           (record.config == nullptr || record.config->settings.reports_destination);
  key.reporter = Reporter::destination;
  key.code = shown_code(record.response_code);
  key.protocol = record.is_grpc ? RequestProtocol::grpc : RequestProtocol::http;
  key.grpc_status = static_cast<std::int8_t>(record.is_grpc ? record.grpc_status : -1);
  if (record.endpoint != nullptr) {
    key.address = record.endpoint->address.ip.bytes;
    key.port = record.endpoint->address.port;
  }
  if (cache_->attempts.size() >= Cache::kMaxEntries) cache_->clear();
  AttemptRows& rows = cache_->attempts[{.words = std::bit_cast<KeyWords>(key), .has_destination_row = is_reported}];
  if (rows.pod_service.words == nullptr) {
    rows.pod_service = cache_->resolve(Kind::pod_service, {.service = key.service, .pod = key.pod});
    if (record.endpoint != nullptr) {
      rows.endpoint =
          cache_->resolve(Kind::endpoint, {.service = key.service, .port = key.port, .address = key.address});
    }
    if (is_reported) {
      SeriesKey request = key;
      request.pod = 0;
      request.port = 0;
      request.address = {};
      rows.request = cache_->resolve(Kind::request, request);
    }
  }
  const auto outcome = static_cast<std::size_t>(record.outcome);
  add(cache_->use(Kind::pod_service, rows.pod_service)[row::pod_service::kAttempts + outcome], 1);
  if (rows.endpoint.words != nullptr) {
    add(cache_->use(Kind::endpoint, rows.endpoint)[row::endpoint::kAttempts + outcome], 1);
  }
  if (rows.request.words != nullptr) {
    Word* const request = cache_->use(Kind::request, rows.request);
    observe(request + row::request::kDuration, kDurationBounds, nanoseconds(record.duration));
    observe(request + row::request::kRequestBytes, kSizeBounds, record.request_wire_bytes);
    observe(request + row::request::kResponseBytes, kSizeBounds, record.response_wire_bytes);
  }
}

void WorkerTelemetry::on_retry(std::uint32_t service_id, RetryOutcome outcome) {
  add(cache_->service(service_id)[row::service::kRetries + static_cast<std::size_t>(outcome)], 1);
}
void WorkerTelemetry::on_timeout(std::uint32_t service_id, TimeoutKind kind) {
  add(cache_->service(service_id)[row::service::kTimeouts + static_cast<std::size_t>(kind)], 1);
}
void WorkerTelemetry::on_fault(std::uint32_t service_id, FaultKind kind) {
  add(cache_->service(service_id)[row::service::kFaults + static_cast<std::size_t>(kind)], 1);
}
void WorkerTelemetry::on_limit_reject(std::uint32_t service_id, LimitKind limit) {
  add(cache_->service(service_id)[row::service::kRejects + static_cast<std::size_t>(limit)], 1);
}
void WorkerTelemetry::on_ejection(std::uint32_t service_id, EjectionCause cause) {
  add(cache_->service(service_id)[row::service::kEjections + static_cast<std::size_t>(cause)], 1);
}
void WorkerTelemetry::on_ejection_suppressed(std::uint32_t service_id, SuppressionCause cause) {
  add(cache_->service(service_id)[row::service::kSuppressed + static_cast<std::size_t>(cause)], 1);
}

// Gauges are signed numbers in unsigned words: -1 is added as 2^64 - 1.
void WorkerTelemetry::on_downstream_opened(std::uint32_t pod_id) {
  add(cache_->counters.connections[static_cast<std::size_t>(Direction::downstream)], 1);
  add(cache_->pod(pod_id)[row::pod::kConnections], 1);
}
void WorkerTelemetry::on_downstream_closed(std::uint32_t pod_id, ConnectionResult result) {
  const auto direction = static_cast<std::size_t>(Direction::downstream);
  add(cache_->counters.connections[direction], ~std::uint64_t{0});
  add(cache_->counters.connections_closed[direction][static_cast<std::size_t>(result)], 1);
  add(cache_->pod(pod_id)[row::pod::kConnections], ~std::uint64_t{0});
}
void WorkerTelemetry::on_memory_refused(RefusalScope scope) {
  add(cache_->counters.refusals[static_cast<std::size_t>(scope)], 1);
}
void WorkerTelemetry::on_downstream_refused(RefusalScope scope) {
  on_memory_refused(scope);
  add(cache_->counters.connections_closed[static_cast<std::size_t>(Direction::downstream)]
                                         [static_cast<std::size_t>(ConnectionResult::refused)],
      1);
}
void WorkerTelemetry::on_upstream_opened() {
  add(cache_->counters.connections[static_cast<std::size_t>(Direction::upstream)], 1);
}
void WorkerTelemetry::on_upstream_closed(ConnectionResult result) {
  add(cache_->counters.connections[static_cast<std::size_t>(Direction::upstream)], ~std::uint64_t{0});
  on_upstream_failed(result);
}
void WorkerTelemetry::on_upstream_failed(ConnectionResult result) {
  add(cache_->counters
          .connections_closed[static_cast<std::size_t>(Direction::upstream)][static_cast<std::size_t>(result)],
      1);
}
void WorkerTelemetry::on_buffered(std::uint32_t pod_id, std::int64_t delta) {
  add(cache_->pod(pod_id)[row::pod::kBufferedBytes], static_cast<std::uint64_t>(delta));
}

void WorkerTelemetry::on_pod_tcp(std::uint32_t pod_id, const TcpNews& news) {
  Word* const words = cache_->pod(pod_id);
  if (news.rtt) observe(words + row::pod::kRtt, kRttBounds, nanoseconds(*news.rtt));
  add(words[row::pod::kRetransmits], news.retransmits);
  add(words[row::pod::kSentBytes], news.sent_bytes);
  add(words[row::pod::kReceivedBytes], news.received_bytes);
}
void WorkerTelemetry::on_pod_tcp_reset(std::uint32_t pod_id) { add(cache_->pod(pod_id)[row::pod::kResets], 1); }

template <typename Apply>
void WorkerTelemetry::for_tcp_rows(const TcpRecord& record, Apply apply) {
  SeriesKey key = cache_->key_of(record, {});
  key.protocol = RequestProtocol::tcp;
  key.pod = 0;
  const bool is_reported =
      record.endpoint != nullptr && (record.config == nullptr || record.config->settings.reports_destination);
  if (cache_->tcp.size() >= Cache::kMaxEntries) cache_->clear();
  TcpRows& rows = cache_->tcp[{.words = std::bit_cast<KeyWords>(key), .has_destination_row = is_reported}];
  if (rows.source.words == nullptr) {
    rows.source = cache_->resolve(Kind::tcp, key);
    key.reporter = Reporter::destination;
    key.flags = 0;
    if (is_reported) rows.destination = cache_->resolve(Kind::tcp, key);
  }
  apply(cache_->use(Kind::tcp, rows.source));
  if (is_reported) apply(cache_->use(Kind::tcp, rows.destination));
}

void WorkerTelemetry::on_tcp_opened(const TcpRecord& record) {
  for_tcp_rows(record, [](Word* words) { add(words[row::tcp::kOpened], 1); });
}
void WorkerTelemetry::on_tcp_bytes(const TcpRecord& record, std::uint64_t sent, std::uint64_t received) {
  for_tcp_rows(record, [=](Word* words) {
    add(words[row::tcp::kSent], sent);
    add(words[row::tcp::kReceived], received);
  });
}
void WorkerTelemetry::on_tcp_closed(const TcpRecord& record) {
  for_tcp_rows(record, [](Word* words) { add(words[row::tcp::kClosed], 1); });
}

void WorkerTelemetry::on_original_destination_miss() { add(cache_->counters.original_destination_misses, 1); }
void WorkerTelemetry::on_socket_shortage() { add(cache_->counters.socket_shortages, 1); }
void WorkerTelemetry::on_access_log_lines(LogResult result, std::uint64_t lines) {
  add(cache_->counters.access_log_lines[static_cast<std::size_t>(result)], lines);
}
void WorkerTelemetry::on_loop_lag(std::chrono::nanoseconds lag) {
  observe(cache_->counters.loop_lag.data(), kLagBounds, nanoseconds(lag));
}

void WorkerTelemetry::tick() {
  add(cache_->counters.heartbeat, 1);
  const ::telemetry::Header& header = cache_->shards.memory().header();
  const std::uint64_t retire = header.retire_sequence.load(std::memory_order_acquire);
  const std::uint64_t freed = header.freed_sequence.load(std::memory_order_acquire);
  if (retire == cache_->counters.retire_seen.load(std::memory_order_relaxed) && freed == cache_->freed_seen) return;
  cache_->clear();
  cache_->freed_seen = freed;
  cache_->counters.retire_seen.store(retire, std::memory_order_release);
}

}  // namespace proxy::telemetry
