#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http1/head.h"

// Heads towards the endpoint and towards the caller: what is removed, kept, joined and added is SEMANTICS 2.9.
// All functions append to `out`, whose capacity is reused from request to request.
namespace proxy::http1 {

// The request path after normalisation: dot segments and %2e resolved, unreserved escapes decoded, '\' -> '/', fragment
// cut, "<>|\"" percent-encoded. Absolute-form is reduced to its path; CONNECT has an authority and an empty path.
struct Target {
  std::string_view path;       // with the query, as matched and forwarded
  std::string_view authority;  // of an absolute-form target, else empty
  std::string_view scheme;     // of an absolute-form target, "http" or "https", else empty
};
enum class TargetError : std::uint8_t {
  none,
  invalid_url,                // 400 http1.invalid_url
  invalid_scheme,             // 400 http1.invalid_scheme
  path_normalization_failed,  // 400, empty
  absolute_path_rejected,     // 404, empty
};
// `storage` holds the result when it differs from the input; the views in `target` point into one of the two.
TargetError normalize_target(std::string_view method, std::string_view raw, std::string& storage, Target& target);

struct RequestEdits {
  std::string_view method;
  std::string_view path;                      // normalised
  std::string_view host;                      // value of Host to send
  std::string_view request_id = {};           // generated id; empty when the client sent one
  std::string_view decorator_operation = {};  // empty: none (unknown host)
  std::uint32_t attempt = 1;
  std::int64_t expected_timeout_ms = 0;  // 0: no timeout, no header
  bool sets_grpc_timeout = false;        // to the expected timeout, if there is one
  bool keeps_upgrade = false;            // websocket: Connection and Upgrade go through
};
// The bytes up to and including the empty line. `bytes` is what `head` was parsed from.
// The position of the attempt count and of the expected timeout differ from try to try: a retry writes the head anew.
void append_request_head(std::string& out, std::string_view bytes, const RequestHead& head, const RequestEdits& edits);

struct ResponseEdits {
  std::string_view server = "envoy";
  std::string_view date = {};                 // IMF-fixdate, used when the endpoint sent none
  std::int64_t upstream_service_time_ms = 0;  // below 0: not known, no header
  bool closes = false;                        // adds connection: close
  bool adds_overloaded = false;
  bool is_chunked = false;     // we frame the body in chunks
  bool to_http10 = false;      // the caller speaks HTTP/1.0
  bool keeps_upgrade = false;  // 101
  bool is_bodiless = false;    // the endpoint's body is not passed on: content-length: 0 instead of its framing
};
void append_response_head(std::string& out, std::string_view bytes, const ResponseHead& head,
                          const ResponseEdits& edits);
// A 1xx that is relayed as it is (100, 102, 103).
void append_informational_head(std::string& out, std::string_view bytes, const ResponseHead& head);

struct LocalReply {
  std::uint16_t status = 503;
  std::string_view body = {};  // text/plain; empty: none
  bool is_overloaded = false;
  bool closes = false;
  bool is_head_request = false;
  bool to_http10 = false;
  bool is_grpc = false;                          // 200 with grpc-status and grpc-message (SEMANTICS 2.5)
  std::optional<std::int32_t> grpc_status = {};  // another than grpc_status_for(status)
};
void append_local_reply(std::string& out, const LocalReply& reply, std::string_view server, std::string_view date);

// "200m", "2S": digits and a unit of the gRPC protocol. Nothing when it is not that, or less than a millisecond.
std::optional<std::chrono::milliseconds> parse_grpc_timeout(std::string_view value);

// Whether one of the x-request-id lines says something.
bool has_request_id(std::string_view bytes, const Head& head);

// The grpc-status of a local reply with this HTTP status (SEMANTICS 2.5).
std::int32_t grpc_status_for(std::uint16_t status);

// "OK" for 200, as Envoy's table has it; "Unknown" for what it does not know.
std::string_view reason_phrase(std::uint16_t status);

// Duplicates are joined into one value for matching: well-known ones by ',' (SEMANTICS 2.9), all others by '\n',
// because route matching then looks at each line (proxy/policy/route_match.h); `storage` is used when there are
// several. `lower_name` may be any header. Returns false when the header is absent.
bool joined_value(std::string_view bytes, const Head& head, std::string_view lower_name, std::string& storage,
                  std::string_view& value);

}  // namespace proxy::http1
