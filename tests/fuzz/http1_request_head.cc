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

ParseResult parse(std::string_view bytes, RequestHead& head) { return parse_request_head(bytes, kLimits, head); }

void require_normal_target(std::string_view method, std::string_view raw, const Target& target) {
  if (method == "CONNECT") {
    require(target.path.empty() && target.authority == raw, "CONNECT has an authority only");
    return;
  }
  require(target.path.starts_with('/'), "a path begins with a slash");
  const std::string_view path = target.path.substr(0, target.path.find('?'));
  require(target.path.find('#') == std::string_view::npos, "the fragment is cut");
  require(path.find_first_of("\\\"<>|{}^`") == std::string_view::npos, "odd characters are escaped");
  for (const std::string_view segment : {"/../", "/./"}) {
    require((std::string(path) + "/").find(segment) == std::string::npos, "no dot segment is left");
  }
}

// What goes to the endpoint is a head that our own parser reads as the same message.
void require_faithful_copy(std::string_view bytes, const RequestHead& head, std::string_view path) {
  if (head.header_count > kMaxHeaders - 8) return;             // ours would be too many
  if (head.has_upgrade && !head.is_websocket_upgrade) return;  // answered with 403, never written
  const std::string_view method = bytes.substr(0, head.method_size);
  const Header* const host = head.find(HeaderId::authority_host);
  const RequestEdits edits{.method = method,
                           .path = path,
                           .host = host == nullptr ? "h" : value_of(bytes, *host),
                           .request_id = "id",
                           .decorator_operation = "operation",
                           .attempt = 2,
                           .keeps_upgrade = head.is_websocket_upgrade};
  std::string out;
  append_request_head(out, bytes, head, edits);

  RequestHead copy;
  require(parse_request_head(out, {}, copy).status == ParseStatus::complete, "the copy is a head");
  require(copy.size == out.size(), "the copy is one head");
  require(std::string_view(out).substr(0, copy.method_size) == method, "the method is the same");
  require(std::string_view(out).substr(copy.target_offset, copy.target_size) == path, "the path is the one we matched");
  require((copy.body == BodyKind::chunked) == (head.body == BodyKind::chunked), "chunked stays chunked");
  require(copy.content_length == head.content_length, "the length stays");
  require(value_of(out, *copy.find(HeaderId::authority_host)) == edits.host, "the host is the one we routed by");
  require(copy.find(HeaderId::client_removed) == nullptr, "nothing of a client configures the next proxy");
  require(head.is_websocket_upgrade || copy.find(HeaderId::connection) == nullptr, "Connection ends here");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestHead head;
  fuzz::require_same_verdict_for_prefixes(bytes, [&](std::string_view prefix) { return parse(prefix, head); });
  const ParseResult result = parse(bytes, head);

  PartialHead partial;
  ParseStatus seen = ParseStatus::incomplete;
  for (std::size_t at = 1; at <= size && seen == ParseStatus::incomplete; ++at) {
    if (partial.has_news(bytes.substr(0, at), kLimits)) seen = parse(bytes.substr(0, at), head).status;
  }
  require(result.status != ParseStatus::complete || seen == ParseStatus::complete, "no complete head waits");
  require(result.error != HeadError::not_http || size > 128 || seen == ParseStatus::error, "no other protocol waits");

  if (parse(bytes, head).status != ParseStatus::complete) return 0;
  fuzz::require_sound_head(bytes, head);
  const std::string_view method = bytes.substr(0, head.method_size);
  const std::string_view raw = bytes.substr(head.target_offset, head.target_size);
  std::string storage;
  Target target;
  if (normalize_target(method, raw, storage, target) != TargetError::none) return 0;
  require_normal_target(method, raw, target);
  if (!target.path.empty()) require_faithful_copy(bytes, head, target.path);
  std::string joined;
  std::string_view value;
  for (std::uint32_t i = 0; i < head.header_count; ++i) {
    std::string name(name_of(bytes, head.headers[i]));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    require(joined_value(bytes, head, name, joined, value) || head.headers[i].id == HeaderId::client_removed,
            "every header can be matched");
  }
  return 0;
}
