#include "proxy/request/local_replies.h"

#include <algorithm>
#include <system_error>

#include "proxy/telemetry/record.h"

namespace proxy {

ResetText reset_text(policy::ResetReason reason) {
  using policy::ResetReason;
  switch (reason) {
    case ResetReason::overflow:
      return {503, telemetry::kUpstreamOverflow, "overflow", "overflow"};
    case ResetReason::connect_failure:
      return {503, telemetry::kUpstreamConnectionFailure, "remote connection failure", "remote_connection_failure"};
    case ResetReason::connect_timeout:
      return {503, telemetry::kUpstreamConnectionFailure, "connection timeout", "connection_timeout"};
    case ResetReason::connection_termination:
      return {503, telemetry::kUpstreamConnectionTermination, "connection termination", "connection_termination"};
    case ResetReason::per_try_timeout:
      return {504, telemetry::kUpstreamRequestTimeout, "", "upstream_per_try_timeout"};
    case ResetReason::protocol_error:
      return {502, telemetry::kUpstreamProtocolError, "protocol error", "protocol_error"};
    case ResetReason::remote_reset:
      return {503, telemetry::kUpstreamRemoteReset, "remote reset", "remote_reset"};
    case ResetReason::refused_stream:
      return {503, telemetry::kUpstreamRemoteReset, "remote refused stream reset", "remote_refused_stream_reset"};
  }
  return {503, 0, "", ""};
}

void append_reset_body(std::string& out, std::string_view reason, bool was_retried) {
  out += "upstream connect error or disconnect/reset before headers. ";
  if (was_retried) out += "retried and the latest ";
  out += "reset reason: ";
  out += reason;
}

std::string connect_error_text(int error_number) {
  std::string text = "delayed_connect_error:_" + std::generic_category().message(error_number);
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

}  // namespace proxy
