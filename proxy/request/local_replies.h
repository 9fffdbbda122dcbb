#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/policy/retry.h"

// The texts of replies the proxy makes itself, to the byte (SEMANTICS 2.8).
namespace proxy {

struct ResetText {
  std::uint16_t status;
  std::uint32_t flag;       // telemetry::ResponseFlag
  std::string_view reason;  // "connection termination", as in the body
  std::string_view detail;  // "connection_termination", as in %RESPONSE_CODE_DETAILS%
};
ResetText reset_text(policy::ResetReason reason);

// "upstream connect error or disconnect/reset before headers. [retried and the latest ]reset reason: <reason>".
void append_reset_body(std::string& out, std::string_view reason, bool was_retried);

// "delayed_connect_error:_Connection_refused": what a failed connect() says in details and in the log.
std::string connect_error_text(int error_number);

}  // namespace proxy
