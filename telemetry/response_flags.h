#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace telemetry {

// Envoy's response flags (OBSERVABILITY 6); a set of bits. Envoy writes flags in the order in which they were set; the
// order of the bits gives the same text.
enum ResponseFlag : std::uint32_t {
  kDelayInjected = 1U << 0,                     // DI
  kFaultInjected = 1U << 1,                     // FI
  kUpstreamRetryLimitExceeded = 1U << 2,        // URX
  kNoHealthyUpstream = 1U << 3,                 // UH
  kUpstreamRequestTimeout = 1U << 4,            // UT
  kLocalReset = 1U << 5,                        // LR
  kUpstreamRemoteReset = 1U << 6,               // UR
  kUpstreamConnectionFailure = 1U << 7,         // UF
  kUpstreamConnectionTermination = 1U << 8,     // UC
  kUpstreamOverflow = 1U << 9,                  // UO
  kNoRouteFound = 1U << 10,                     // NR
  kRateLimited = 1U << 11,                      // RL
  kDownstreamConnectionTermination = 1U << 12,  // DC
  kUpstreamProtocolError = 1U << 13,            // UPE
  kDownstreamProtocolError = 1U << 14,          // DPE
  kDownstreamRemoteReset = 1U << 15,            // DR
  kStreamIdleTimeout = 1U << 16,                // SI
  kDurationTimeout = 1U << 17,                  // DT
  kNoClusterFound = 1U << 18,                   // NC
  kOverloadManager = 1U << 19,                  // OM
};

struct FlagName {
  std::uint32_t bit;
  std::string_view short_name;  // URX: labels and logs
  std::string_view long_name;   // UpstreamRetryLimitExceeded: for people
};

// All flags in the order in which they are written.
[[nodiscard]] std::span<const FlagName> flag_names();
// "URX,UT"; "-" for none. Bits that are no flag are left out.
[[nodiscard]] std::string flags_text(std::uint32_t flags);
// The same into a buffer of at least kMaxFlagsText bytes; returns the end of what was written.
inline constexpr std::size_t kMaxFlagsText = 96;
char* write_flags(char* out, std::uint32_t flags);

}  // namespace telemetry
