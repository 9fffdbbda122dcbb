#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// What is counted, with the label values that it is shown as (OBSERVABILITY 4). The order of an enum is the order of
// its words in a row, so values are only ever appended.
namespace telemetry {

// What became of one attempt.
enum class AttemptOutcome : std::uint8_t { success, error, timeout, reset, connect_failure, refused_by_limit };
inline constexpr std::array<std::string_view, 6> kAttemptOutcomeNames = {
    "success", "error", "timeout", "reset", "connect_failure", "refused_by_limit"};

enum class RetryOutcome : std::uint8_t { success, failure, limit, budget, deadline };
inline constexpr std::array<std::string_view, 5> kRetryOutcomeNames = {"success", "failure", "limit", "budget",
                                                                       "deadline"};

enum class TimeoutKind : std::uint8_t { request, per_try, connect, idle };
inline constexpr std::array<std::string_view, 4> kTimeoutKindNames = {"request", "per_try", "connect", "idle"};

enum class FaultKind : std::uint8_t { delay, abort };
inline constexpr std::array<std::string_view, 2> kFaultKindNames = {"delay", "abort"};

enum class LimitKind : std::uint8_t { connections, pending, requests, retries };
inline constexpr std::array<std::string_view, 4> kLimitKindNames = {"connections", "pending", "requests", "retries"};

enum class EjectionCause : std::uint8_t {
  consecutive_5xx,
  consecutive_gateway,
  consecutive_local,
  success_rate,
  failure_percentage,
};
inline constexpr std::array<std::string_view, 5> kEjectionCauseNames = {
    "consecutive_5xx", "consecutive_gateway", "consecutive_local", "success_rate", "failure_percentage"};

enum class SuppressionCause : std::uint8_t { max_percent, panic };
inline constexpr std::array<std::string_view, 2> kSuppressionCauseNames = {"max_percent", "panic"};

enum class Direction : std::uint8_t { downstream, upstream };
inline constexpr std::array<std::string_view, 2> kDirectionNames = {"downstream", "upstream"};

enum class ConnectionResult : std::uint8_t { closed, reset, timeout, refused };
inline constexpr std::array<std::string_view, 4> kConnectionResultNames = {"closed", "reset", "timeout", "refused"};

// Whose budget was used up when a connection was refused.
enum class RefusalScope : std::uint8_t { node, pod };
inline constexpr std::array<std::string_view, 2> kRefusalScopeNames = {"node", "pod"};

enum class LogResult : std::uint8_t { written, dropped, failed };
inline constexpr std::array<std::string_view, 3> kLogResultNames = {"written", "dropped", "failed"};

enum class Reporter : std::uint8_t { source, destination };
inline constexpr std::array<std::string_view, 2> kReporterNames = {"source", "destination"};

enum class RequestProtocol : std::uint8_t { http, grpc, tcp };
inline constexpr std::array<std::string_view, 3> kRequestProtocolNames = {"http", "grpc", "tcp"};

}  // namespace telemetry
