#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a route, a retry, a limit and an ejection rule are, whoever wrote them. Plain structs; a default is what Istio
// means when the field is not written (SEMANTICS 2.3, 2.4). "Not set" is std::nullopt, never a magic number.
namespace config {

using Milliseconds = std::chrono::milliseconds;

enum class MatchKind : std::uint8_t {
  exact,
  prefix,   // raw string prefix
  regex,    // RE2, full match
  present,  // any value, but it must be there
};

struct StringMatch {
  MatchKind kind = MatchKind::exact;
  std::string value;
  bool ignore_case = false;  // exact and prefix of a uri only
  bool operator==(const StringMatch&) const = default;
};

struct HeaderMatch {
  std::string name;  // lower case
  StringMatch match;
  bool is_inverted = false;  // withoutHeaders
  bool operator==(const HeaderMatch&) const = default;
};

struct QueryMatch {
  std::string name;
  StringMatch match;
  bool operator==(const QueryMatch&) const = default;
};

// Conditions are AND-ed. What depends on the source pod (sourceLabels, sourceNamespace, port, gateways) was decided
// when the table was compiled and is not here.
struct RouteMatch {
  std::optional<StringMatch> uri;
  std::optional<StringMatch> scheme;
  std::optional<StringMatch> method;
  std::optional<StringMatch> authority;
  std::vector<HeaderMatch> headers;
  std::vector<QueryMatch> query;
  bool operator==(const RouteMatch&) const = default;
};

// The words of retryOn; a set of bits. gRPC words are kept although HTTP/1.1 answers seldom meet them.
enum RetryOn : std::uint32_t {
  kRetryOn5xx = 1U << 0,
  kRetryOnGatewayError = 1U << 1,
  kRetryOnReset = 1U << 2,
  kRetryOnResetBeforeRequest = 1U << 3,
  kRetryOnConnectFailure = 1U << 4,
  kRetryOnRetriable4xx = 1U << 5,
  kRetryOnRefusedStream = 1U << 6,
  kRetryOnRetriableStatusCodes = 1U << 7,
  kRetryOnRetriableHeaders = 1U << 8,
  kRetryOnEnvoyRatelimited = 1U << 9,
  kRetryOnHttp3PostConnectFailure = 1U << 10,
  kRetryOnCancelled = 1U << 11,
  kRetryOnDeadlineExceeded = 1U << 12,
  kRetryOnInternal = 1U << 13,
  kRetryOnResourceExhausted = 1U << 14,
  kRetryOnUnavailable = 1U << 15,
};

struct RetryPolicy {
  std::uint32_t max_retries = 2;  // re-tries, not tries
  std::uint32_t retry_on =        // bits of RetryOn
      kRetryOnConnectFailure | kRetryOnRefusedStream | kRetryOnUnavailable | kRetryOnCancelled |
      kRetryOnRetriableStatusCodes;
  std::vector<std::uint16_t> retriable_status_codes;
  std::optional<Milliseconds> per_try_timeout;
  bool avoids_previous_hosts = true;
  Milliseconds backoff_base{25};
  Milliseconds backoff_max{250};
  bool operator==(const RetryPolicy&) const = default;
};

// Percentages are in parts per million, so that 0.001 % has a whole number.
struct FaultPolicy {
  Milliseconds delay{0};
  std::uint32_t delay_per_million = 0;
  std::uint16_t abort_status = 0;                 // HTTP
  std::optional<std::uint8_t> abort_grpc_status;  // abort_status is 200 then
  std::uint32_t abort_per_million = 0;
  bool operator==(const FaultPolicy&) const = default;
};

struct ConnectionPoolPolicy {
  static constexpr std::uint32_t kUnlimited = 0xffffffff;
  std::uint32_t max_connections = kUnlimited;
  Milliseconds connect_timeout{10'000};
  std::uint32_t max_pending_requests = kUnlimited;
  std::uint32_t max_requests = kUnlimited;
  std::uint32_t max_requests_per_connection = 0;  // 0: unlimited
  std::uint32_t max_retries = kUnlimited;
  Milliseconds idle_timeout{3'600'000};
  std::optional<Milliseconds> max_connection_duration;
  struct Keepalive {
    std::optional<std::uint32_t> probes;
    std::optional<std::chrono::seconds> time;
    std::optional<std::chrono::seconds> interval;
    bool operator==(const Keepalive&) const = default;
  };
  std::optional<Keepalive> tcp_keepalive;
  bool operator==(const ConnectionPoolPolicy&) const = default;
};

struct OutlierPolicy {
  std::uint32_t consecutive_5xx = 5;      // 0: off
  std::uint32_t consecutive_gateway = 0;  // 0: off
  bool splits_local_origin = false;
  std::uint32_t consecutive_local_origin = 5;  // only with splits_local_origin
  Milliseconds interval{10'000};
  Milliseconds base_ejection_time{30'000};
  std::uint32_t max_ejection_percent = 10;
  std::uint32_t min_health_percent = 0;  // panic threshold
  bool always_ejects_one_host = false;   // legacy profile
  bool operator==(const OutlierPolicy&) const = default;
};

// allowed concurrent retries = max(percent x (active + pending), min_retry_concurrency); replaces max_retries.
struct RetryBudgetPolicy {
  double percent = 20;
  std::uint32_t min_retry_concurrency = 3;
  bool operator==(const RetryBudgetPolicy&) const = default;
};

enum class LoadBalancer : std::uint8_t { least_request, round_robin, random };

// The policy of one backend as one source sees it: a DestinationRule after inheritance.
struct BackendPolicy {
  ConnectionPoolPolicy connection_pool;
  std::optional<OutlierPolicy> outlier;
  std::optional<RetryBudgetPolicy> retry_budget;
  LoadBalancer load_balancer = LoadBalancer::least_request;
  bool operator==(const BackendPolicy&) const = default;
};

}  // namespace config
