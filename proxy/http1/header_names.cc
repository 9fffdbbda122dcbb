#include "proxy/http1/header_names.h"

#include <array>
#include <cstring>
#include <string_view>

namespace proxy::http1 {
namespace {

enum Joins : std::uint8_t { kNever = 0, kInRequests = 1, kInResponses = 2, kAlways = 3 };

struct KnownName {
  std::string_view name;
  HeaderId id;
  Joins joins;
};

// Which duplicates are joined was read off a running Envoy, header by header.
constexpr KnownName kKnownNames[] = {
    {"host", HeaderId::authority_host, kNever},
    {"connection", HeaderId::connection, kNever},
    {"content-length", HeaderId::content_length, kNever},
    {"content-type", HeaderId::content_type, kAlways},
    {"date", HeaderId::date, kInResponses},
    {"expect", HeaderId::expect, kInRequests},
    {"x-forwarded-for", HeaderId::forwarded_for, kInRequests},
    {"x-forwarded-proto", HeaderId::forwarded_proto, kInRequests},
    {"keep-alive", HeaderId::keep_alive, kNever},
    {"proxy-connection", HeaderId::proxy_connection, kNever},
    {"x-request-id", HeaderId::request_id, kAlways},
    {"server", HeaderId::server, kNever},
    {"te", HeaderId::te, kNever},
    {"transfer-encoding", HeaderId::transfer_encoding, kNever},
    {"upgrade", HeaderId::upgrade, kNever},
    {"user-agent", HeaderId::user_agent, kInRequests},
    {"x-envoy-attempt-count", HeaderId::attempt_count, kInResponses},
    {"x-envoy-decorator-operation", HeaderId::decorator_operation, kNever},
    {"x-envoy-overloaded", HeaderId::envoy_overloaded, kNever},
    {"x-envoy-ratelimited", HeaderId::envoy_ratelimited, kInResponses},
    {"x-envoy-upstream-service-time", HeaderId::upstream_service_time, kNever},
    {"grpc-status", HeaderId::grpc_status, kInResponses},
    {"grpc-timeout", HeaderId::grpc_timeout, kInRequests},
    {"http2-settings", HeaderId::http2_settings, kNever},
    {"traceparent", HeaderId::traceparent, kNever},
    {"b3", HeaderId::b3, kNever},
    {"x-b3-traceid", HeaderId::b3_traceid, kNever},

    {"x-envoy-internal", HeaderId::client_removed, kNever},
    {"x-envoy-force-trace", HeaderId::client_removed, kNever},
    {"x-envoy-ip-tags", HeaderId::client_removed, kNever},
    {"x-envoy-max-retries", HeaderId::client_removed, kNever},
    {"x-envoy-retry-on", HeaderId::client_removed, kNever},
    {"x-envoy-retry-grpc-on", HeaderId::client_removed, kNever},
    {"x-envoy-retriable-status-codes", HeaderId::client_removed, kNever},
    {"x-envoy-retriable-header-names", HeaderId::client_removed, kNever},
    {"x-envoy-original-url", HeaderId::client_removed, kNever},
    {"x-envoy-upstream-alt-stat-name", HeaderId::client_removed, kNever},
    {"x-envoy-upstream-rq-timeout-ms", HeaderId::client_removed, kNever},
    {"x-envoy-upstream-rq-per-try-timeout-ms", HeaderId::client_removed, kNever},
    {"x-envoy-upstream-rq-timeout-alt-response", HeaderId::client_removed, kNever},
    {"x-envoy-upstream-stream-duration-ms", HeaderId::client_removed, kNever},
    {"x-envoy-expected-rq-timeout-ms", HeaderId::client_removed, kNever},
    {"x-envoy-hedge-on-per-try-timeout", HeaderId::client_removed, kNever},
    {"x-forwarded-client-cert", HeaderId::client_removed, kNever},

    {"accept", HeaderId::other, kInRequests},
    {"accept-encoding", HeaderId::other, kInRequests},
    {"access-control-request-headers", HeaderId::other, kInRequests},
    {"access-control-request-method", HeaderId::other, kInRequests},
    {"access-control-request-private-network", HeaderId::other, kInRequests},
    {"authorization", HeaderId::other, kInRequests},
    {"cdn-loop", HeaderId::other, kInRequests},
    {"grpc-accept-encoding", HeaderId::other, kInRequests},
    {"if-match", HeaderId::other, kInRequests},
    {"if-modified-since", HeaderId::other, kInRequests},
    {"if-none-match", HeaderId::other, kInRequests},
    {"if-range", HeaderId::other, kInRequests},
    {"if-unmodified-since", HeaderId::other, kInRequests},
    {"origin", HeaderId::other, kInRequests},
    {"pragma", HeaderId::other, kInRequests},
    {"referer", HeaderId::other, kInRequests},
    {"x-client-trace-id", HeaderId::other, kInRequests},
    {"x-envoy-downstream-service-cluster", HeaderId::other, kInRequests},
    {"x-envoy-downstream-service-node", HeaderId::other, kInRequests},
    {"x-envoy-external-address", HeaderId::other, kInRequests},
    {"x-envoy-is-timeout-retry", HeaderId::other, kInRequests},
    {"x-envoy-original-host", HeaderId::other, kInRequests},
    {"x-envoy-original-path", HeaderId::other, kInRequests},
    {"x-forwarded-host", HeaderId::other, kInRequests},
    {"x-forwarded-port", HeaderId::other, kInRequests},

    {"cache-control", HeaderId::other, kAlways},
    {"content-encoding", HeaderId::other, kAlways},
    {"proxy-status", HeaderId::other, kAlways},
    {"via", HeaderId::other, kAlways},

    {"access-control-allow-credentials", HeaderId::other, kInResponses},
    {"access-control-allow-headers", HeaderId::other, kInResponses},
    {"access-control-allow-methods", HeaderId::other, kInResponses},
    {"access-control-allow-origin", HeaderId::other, kInResponses},
    {"access-control-allow-private-network", HeaderId::other, kInResponses},
    {"access-control-expose-headers", HeaderId::other, kInResponses},
    {"access-control-max-age", HeaderId::other, kInResponses},
    {"age", HeaderId::other, kInResponses},
    {"etag", HeaderId::other, kInResponses},
    {"expires", HeaderId::other, kInResponses},
    {"grpc-message", HeaderId::other, kInResponses},
    {"last-modified", HeaderId::other, kInResponses},
    {"location", HeaderId::other, kInResponses},
    {"vary", HeaderId::other, kInResponses},
    {"x-envoy-degraded", HeaderId::other, kInResponses},
    {"x-envoy-immediate-health-check-fail", HeaderId::other, kInResponses},
    {"x-envoy-upstream-canary", HeaderId::other, kInResponses},
    {"x-envoy-upstream-healthchecked-cluster", HeaderId::other, kInResponses},
};
constexpr std::size_t kNameCount = std::size(kKnownNames);

// Open addressing over 256 slots, filled at compile time. Names differ in length and ends, so the bytes between are
// looked at only to confirm.
constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(const char* name, std::size_t size) {
  const auto letter = [name](std::size_t i) { return static_cast<std::size_t>(name[i] | 0x20); };
  return (size * 196 + letter(0) * 43 + letter(size - 1) * 76 + letter(size / 2) * 130) % kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_slots() {
  std::array<std::uint8_t, kSlots> slots{};  // index + 1 into kKnownNames
  for (std::size_t i = 0; i < kNameCount; ++i) {
    std::size_t slot = slot_of(kKnownNames[i].name.data(), kKnownNames[i].name.size());
    while (slots[slot] != 0) slot = (slot + 1) % kSlots;
    slots[slot] = static_cast<std::uint8_t>(i + 1);
  }
  return slots;
}
constexpr std::array<std::uint8_t, kSlots> kNameSlots = make_slots();

constexpr std::array<NameFacts, kNameCount + 1> make_facts() {
  std::array<NameFacts, kNameCount + 1> facts{};
  for (std::size_t i = 0; i < kNameCount; ++i) {
    const auto key = static_cast<std::uint8_t>(i + 1);
    facts[i + 1].id = kKnownNames[i].id;
    if (kKnownNames[i].joins & kInRequests) facts[i + 1].join_key_in_requests = key;
    if (kKnownNames[i].joins & kInResponses) facts[i + 1].join_key_in_responses = key;
  }
  return facts;
}
constexpr std::array<NameFacts, kNameCount + 1> kFacts = make_facts();

template <typename Word>
bool equals_lower_word(const char* text, const char* lower) {
  Word left = 0;
  Word right = 0;
  std::memcpy(&left, text, sizeof(Word));
  std::memcpy(&right, lower, sizeof(Word));
  return (left | static_cast<Word>(0x2020202020202020)) == right;
}

// Setting bit 5 lower-cases a letter; a token character that is none never becomes a letter, a digit or '-' by it, and
// no known name has others.
bool equals_lower(const char* text, std::string_view lower) {
  const std::size_t size = lower.size();
  if (size < 4) {
    for (std::size_t i = 0; i < size; ++i) {
      if ((text[i] | 0x20) != lower[i]) return false;
    }
    return true;
  }
  if (size < 8) {
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the size is the word's
    return equals_lower_word<std::uint32_t>(text, lower.data()) &&
           equals_lower_word<std::uint32_t>(text + size - 4, lower.data() + size - 4);
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if (!equals_lower_word<std::uint64_t>(text + i, lower.data() + i)) return false;
  }
  return equals_lower_word<std::uint64_t>(text + size - 8, lower.data() + size - 8);
}

}  // namespace

const NameFacts& facts_of_name(const char* name, std::size_t size) {
  for (std::size_t slot = slot_of(name, size); kNameSlots[slot] != 0; slot = (slot + 1) % kSlots) {
    const std::size_t index = kNameSlots[slot];
    const std::string_view known = kKnownNames[index - 1].name;
    if (known.size() == size && equals_lower(name, known)) return kFacts[index];
  }
  return kFacts[0];
}

}  // namespace proxy::http1
