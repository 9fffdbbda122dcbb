#include "telemetry/response_flags.h"

namespace telemetry {
namespace {

constexpr FlagName kFlagNames[] = {
    {kDelayInjected, "DI", "DelayInjected"},
    {kFaultInjected, "FI", "FaultInjected"},
    {kUpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded"},
    {kNoHealthyUpstream, "UH", "NoHealthyUpstream"},
    {kUpstreamRequestTimeout, "UT", "UpstreamRequestTimeout"},
    {kLocalReset, "LR", "LocalReset"},
    {kUpstreamRemoteReset, "UR", "UpstreamRemoteReset"},
    {kUpstreamConnectionFailure, "UF", "UpstreamConnectionFailure"},
    {kUpstreamConnectionTermination, "UC", "UpstreamConnectionTermination"},
    {kUpstreamOverflow, "UO", "UpstreamOverflow"},
    {kNoRouteFound, "NR", "NoRouteFound"},
    {kRateLimited, "RL", "RateLimited"},
    {kDownstreamConnectionTermination, "DC", "DownstreamConnectionTermination"},
    {kUpstreamProtocolError, "UPE", "UpstreamProtocolError"},
    {kDownstreamProtocolError, "DPE", "DownstreamProtocolError"},
    {kDownstreamRemoteReset, "DR", "DownstreamRemoteReset"},
    {kStreamIdleTimeout, "SI", "StreamIdleTimeout"},
    {kDurationTimeout, "DT", "DurationTimeout"},
    {kNoClusterFound, "NC", "NoClusterFound"},
    {kOverloadManager, "OM", "OverloadManagerTerminated"},
};

consteval std::size_t longest_text() {
  std::size_t length = 0;
  for (const FlagName& flag : kFlagNames) length += flag.short_name.size() + 1;
  return length;
}
static_assert(longest_text() <= kMaxFlagsText);

}  // namespace

std::span<const FlagName> flag_names() { return kFlagNames; }

char* write_flags(char* out, std::uint32_t flags) {
  char* const begin = out;
  if (flags == 0) {  // nearly always
    *out++ = '-';
    return out;
  }
  for (const FlagName& flag : kFlagNames) {
    if ((flags & flag.bit) == 0) continue;
    if (out != begin) *out++ = ',';
    out = std::copy(flag.short_name.begin(), flag.short_name.end(), out);
  }
  if (out == begin) *out++ = '-';
  return out;
}

std::string flags_text(std::uint32_t flags) {
  char buffer[kMaxFlagsText];
  return {buffer, write_flags(buffer, flags)};
}

}  // namespace telemetry
