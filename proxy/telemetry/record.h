#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/socket_address.h"
#include "config/model/node_config.h"
#include "telemetry/events.h"
#include "telemetry/response_flags.h"

// What the request path tells telemetry. Views live only during the call.
namespace proxy::telemetry {

using ::telemetry::AttemptOutcome;
using ::telemetry::ResponseFlag;
using enum ::telemetry::ResponseFlag;

// Everything known when a request is over, for the source row, the rows per pod and the access log.
struct RequestRecord {
  const config::NodeConfig* config = nullptr;
  const config::Pod* pod = nullptr;  // who called
  const config::WorkloadIdentity* source = nullptr;
  const config::Service* service = nullptr;    // VIP dialled, or of the chosen endpoint; nullptr: unknown host
  const config::Backend* backend = nullptr;    // nullptr: none was chosen
  const config::Endpoint* endpoint = nullptr;  // of the last attempt; nullptr: none was chosen
  const config::Route* route = nullptr;
  bool is_passthrough = false;  // unknown host sent to the original destination
  bool is_grpc = false;
  std::uint16_t response_code = 0;
  std::int32_t grpc_status = -1;
  std::uint32_t flags = 0;
  std::string_view details;              // %RESPONSE_CODE_DETAILS%, "via_upstream"
  std::string_view termination_details;  // %CONNECTION_TERMINATION_DETAILS%
  std::string_view upstream_failure;     // %UPSTREAM_TRANSPORT_FAILURE_REASON%
  std::string_view method, path, protocol, authority, request_id, user_agent, forwarded_for, trace_id;
  base::SocketAddress upstream_local, downstream_local, downstream_remote;
  base::WallTime start_time;
  std::chrono::nanoseconds duration{};
  std::int64_t upstream_service_time_ms = -1;
  std::uint64_t request_body_bytes = 0, response_body_bytes = 0;
  std::uint64_t request_wire_bytes = 0, response_wire_bytes = 0;  // heads and framing included
  std::uint32_t attempts = 0;
};

// One attempt whose head was written to an established connection (the synthesised destination row), or that failed
// before.
struct AttemptRecord {
  const config::NodeConfig* config = nullptr;
  const config::Pod* pod = nullptr;
  const config::WorkloadIdentity* source = nullptr;
  const config::Service* service = nullptr;
  const config::Endpoint* endpoint = nullptr;  // nullptr: refused before an endpoint was known
  AttemptOutcome outcome = AttemptOutcome::success;
  bool was_sent = false;        // false: no destination row
  bool is_passthrough = false;  // as in RequestRecord
  bool is_grpc = false;
  std::uint16_t response_code = 0;
  std::int32_t grpc_status = -1;
  std::uint32_t flags = 0;     // as the destination would report: UC, DC or none
  std::string_view authority;  // needed when `service` is nullptr
  std::chrono::nanoseconds duration{};
  std::uint64_t request_wire_bytes = 0, response_wire_bytes = 0;
};

}  // namespace proxy::telemetry
