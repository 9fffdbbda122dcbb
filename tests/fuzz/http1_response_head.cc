#include <cstddef>
#include <cstdint>
#include <string>

#include "proxy/http1/head.h"
#include "proxy/http1/write.h"
#include "tests/fuzz/http1_head_claims.h"

using fuzz::require;
using namespace proxy::http1;

namespace {

constexpr HeadLimits kLimits{.max_bytes = 4096};

// What goes to the caller is a head that our own parser reads as the same message.
void require_faithful_copy(std::string_view bytes, const ResponseHead& head, bool is_head_request, bool to_http10) {
  if (head.header_count > kMaxHeaders - 8) return;  // ours would be too many
  const bool is_chunked = !to_http10 && (head.body == BodyKind::chunked || head.body == BodyKind::until_close);
  std::string out;
  append_response_head(out, bytes, head,
                       {.date = "d", .upstream_service_time_ms = 3, .is_chunked = is_chunked, .to_http10 = to_http10});
  ResponseHead copy;
  require(parse_response_head(out, {.max_bytes = 80 * 1024}, is_head_request, copy).status == ParseStatus::complete,
          "the copy is a head");
  require(copy.size == out.size(), "the copy is one head");
  require(copy.status == head.status, "the status is the same");
  require(copy.body == (is_chunked                       ? BodyKind::chunked
                        : head.body == BodyKind::chunked ? BodyKind::until_close
                                                         : head.body),
          "the framing is the one we chose");
  require(head.body != BodyKind::length || copy.content_length == head.content_length, "the length stays");
  require(value_of(out, *copy.find(HeaderId::server)) == "envoy", "the server is ours");

  if (head.status >= 200) return;
  out.clear();
  append_informational_head(out, bytes, head);
  require(
      parse_response_head(out, {}, is_head_request, copy).status == ParseStatus::complete && copy.size == out.size(),
      "an informational copy is a head");
}

}  // namespace

// The first byte says what was asked: bit 0, by HEAD; bit 1, by a caller of HTTP/1.0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool is_head_request = (data[0] & 1) != 0;
  const bool to_http10 = (data[0] & 2) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ResponseHead head;
  const auto parse = [&](std::string_view prefix) {
    return parse_response_head(prefix, kLimits, is_head_request, head);
  };
  fuzz::require_same_verdict_for_prefixes(bytes, parse);
  if (parse(bytes).status != ParseStatus::complete) return 0;
  fuzz::require_sound_head(bytes, head);
  require(head.status >= 100 && head.status <= 999, "a status has three digits");
  require(!is_head_request || head.body == BodyKind::none, "an answer to HEAD has no body");
  require_faithful_copy(bytes, head, is_head_request, to_http10);
  return 0;
}
