#include "config/istio/retry_settings.h"

#include <array>
#include <charconv>

namespace config::istio {
namespace {

constexpr Field kRetries[] = {
    {.name = "attempts", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "perTryTimeout", .type = Type::duration},
    {.name = "retryOn"},
    {.name = "retryRemoteLocalities", .type = Type::boolean},
    {.name = "retryIgnorePreviousHosts", .type = Type::boolean},
    {.name = "backoff", .type = Type::duration},
};

struct Word {
  std::string_view name;
  RetryOn bit;
};
constexpr std::array<Word, 16> kWords = {{{"5xx", kRetryOn5xx},
                                          {"gateway-error", kRetryOnGatewayError},
                                          {"reset", kRetryOnReset},
                                          {"reset-before-request", kRetryOnResetBeforeRequest},
                                          {"connect-failure", kRetryOnConnectFailure},
                                          {"retriable-4xx", kRetryOnRetriable4xx},
                                          {"refused-stream", kRetryOnRefusedStream},
                                          {"retriable-status-codes", kRetryOnRetriableStatusCodes},
                                          {"retriable-headers", kRetryOnRetriableHeaders},
                                          {"envoy-ratelimited", kRetryOnEnvoyRatelimited},
                                          {"http3-post-connect-failure", kRetryOnHttp3PostConnectFailure},
                                          {"cancelled", kRetryOnCancelled},
                                          {"deadline-exceeded", kRetryOnDeadlineExceeded},
                                          {"internal", kRetryOnInternal},
                                          {"resource-exhausted", kRetryOnResourceExhausted},
                                          {"unavailable", kRetryOnUnavailable}}};

// The status codes that have a name in the IANA registry: Istio refuses the others.
bool is_registered_status(int code) {
  return (code >= 100 && code <= 103) || (code >= 200 && code <= 208) || code == 226 || (code >= 300 && code <= 305) ||
         code == 307 || code == 308 || (code >= 400 && code <= 418) || (code >= 421 && code <= 426) || code == 428 ||
         code == 429 || code == 431 || code == 451 || (code >= 500 && code <= 508) || code == 510 || code == 511;
}

void read_retry_on(const Node& node, RetrySettings& settings, Report& report) {
  const std::string list = node.text();
  if (list.empty()) return;  // the same as not written
  std::string_view rest = list;
  while (true) {
    const auto comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    int code = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), code);
    if (error == std::errc{} && end == word.data() + word.size() && is_registered_status(code)) {
      settings.retriable_status_codes.push_back(static_cast<std::uint16_t>(code));
      settings.retry_on |= kRetryOnRetriableStatusCodes;
    } else {
      std::uint32_t bit = 0;
      std::vector<std::string_view> names;
      for (const Word& known : kWords) {
        if (known.name == word) bit = known.bit;
        names.push_back(known.name);
      }
      if (bit == 0) {
        std::string message = quoted(word) + " is not a word of retryOn";
        if (word.empty() || word.find(' ') != word.npos) {
          message += "; separate the words with commas and no blanks";
        } else if (const auto near = yaml::nearest_name(word, names); !near.empty()) {
          message += "; did you mean " + std::string(near) + "?";
        } else {
          message += "; write a condition such as 5xx or connect-failure, or a registered status code";
        }
        report.error(node, std::move(message));
      }
      settings.retry_on |= bit;
    }
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

std::span<const Field> retry_fields() { return kRetries; }

std::vector<std::string_view> retry_on_words(std::uint32_t bits) {
  std::vector<std::string_view> words;
  for (const Word& word : kWords) {
    if ((bits & word.bit) != 0) words.push_back(word.name);
  }
  return words;
}

RetrySettings read_retries(const Node& node, Report& report) {
  RetrySettings settings;
  settings.attempts = static_cast<std::uint32_t>(node["attempts"].integer());
  settings.per_try_timeout = node["perTryTimeout"].duration();
  read_retry_on(node["retryOn"], settings, report);
  if (const Node field = node["retryIgnorePreviousHosts"]) settings.ignores_previous_hosts = field.boolean();
  settings.backoff = node["backoff"].duration();
  if (settings.attempts == 0) {
    for (const std::string_view name : {"perTryTimeout", "retryOn", "retryRemoteLocalities"}) {
      const Node field = node[name];
      if (field && !(name == "retryOn" && field.text().empty())) {
        report.error(field, "is set although attempts is 0, which means no retries; set attempts to at least 1");
      }
    }
  }
  if (node["retryRemoteLocalities"].boolean()) {
    report.warn(kNotEnforced, node["retryRemoteLocalities"],
                "is not enforced by this version of Fairlead: retries choose among all endpoints");
  }
  return settings;
}

}  // namespace config::istio
