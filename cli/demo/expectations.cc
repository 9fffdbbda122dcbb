#include "cli/demo/expectations.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace cli::demo {
namespace {

// A timer never fires early; how late an answer may be is a matter of how busy the machine is.
constexpr double kLateness = 0.25;
constexpr double kPerTrySeconds = 0.5;
// The longest pause before each retry (SEMANTICS 2.7).
constexpr std::array<double, 3> kLongestBackoff{0.025, 0.050, 0.100};
constexpr std::string_view kTimeoutBody = "upstream request timeout";

std::string decimal(double value, int places = 2) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", places, value);
  return text;
}

std::uint64_t count_of(const Codes& codes, int code) {
  const auto found = codes.find(code);
  return found == codes.end() ? 0 : found->second;
}

double row(const Sums& rows, const std::string& code, const std::string& flags) {
  const auto found = rows.find({code, flags});
  return found == rows.end() ? 0 : found->second;
}

std::string codes_text(const Codes& codes) {
  std::string text;
  for (const auto& [code, times] : codes) {
    text += (text.empty() ? "" : ", ") + std::to_string(times) + " x " + std::to_string(code);
  }
  return text.empty() ? "nothing" : text;
}

const Call* find_call(const std::vector<Call>& calls, std::string_view name) {
  const auto found = std::find_if(calls.begin(), calls.end(), [&](const Call& call) { return call.name == name; });
  return found == calls.end() ? nullptr : &*found;
}

std::vector<Arrival> arrivals_at(const std::vector<Arrival>& arrivals, std::string_view path) {
  std::vector<Arrival> found;
  std::copy_if(arrivals.begin(), arrivals.end(), std::back_inserter(found),
               [&](const Arrival& arrival) { return arrival.path == path; });
  return found;
}

// The call to /version ends with 504, the body of a timeout and flag UT, after `seconds`.
void expect_timeout(Checks& checks, const Seen& seen, double seconds) {
  const auto* version = find_call(seen.calls, "version");
  const Call absent;
  const Call& call = version == nullptr ? absent : *version;
  checks.push_back({"/version ends with 504 after " + decimal(seconds) + " to " + decimal(seconds + kLateness) + " s",
                    std::to_string(call.status) + " after " + decimal(call.seconds, 3) + " s",
                    call.status == 504 && call.seconds >= seconds && call.seconds <= seconds + kLateness});
  checks.push_back(
      {"its body is '" + std::string(kTimeoutBody) + "'", "'" + call.body + "'", call.body == kTimeoutBody});
  checks.push_back({"counted as 504 UT", rows_text(seen.requests), row(seen.requests, "504", "UT") == 1});
}

void expect_hello(Checks& checks, const Seen& seen) {
  const auto* hello = find_call(seen.calls, "hello");
  checks.push_back({"/hello is answered with 200", hello == nullptr ? "nothing" : std::to_string(hello->status),
                    hello != nullptr && hello->status == 200});
}

void expect_tries(Checks& checks, const Seen& seen, std::size_t expected) {
  const auto tries = arrivals_at(seen.arrivals, "/version");
  if (expected == 1) {
    checks.push_back({"greeter v3 sees one try", std::to_string(tries.size()), tries.size() == 1});
    return;
  }
  bool has_rhythm = tries.size() == expected;
  for (std::size_t i = 1; has_rhythm && i < tries.size(); ++i) {
    const double gap = tries[i].time - tries[i - 1].time;
    // Both ends are the greeter's clock, so half of the lateness may sit at the earlier one.
    has_rhythm = gap > kPerTrySeconds - kLateness / 2 && gap < kPerTrySeconds + kLongestBackoff[i - 1] + kLateness;
  }
  checks.push_back({"greeter v3 sees tries at 0, 0.5, 1.0, 1.5 s (and pauses of up to 25, 50, 100 ms)",
                    times_text(tries), has_rhythm});
  std::string counts;
  std::string expected_counts;
  for (std::size_t i = 0; i < expected; ++i) expected_counts += (i == 0 ? "" : ", ") + std::to_string(i + 1);
  for (const auto& arrival : tries) counts += (counts.empty() ? "" : ", ") + arrival.attempt;
  checks.push_back({"x-envoy-attempt-count is " + expected_counts, counts, counts == expected_counts});
}

double share(const Codes& codes, int code) {
  double all = 0;
  for (const auto& [other, times] : codes) all += static_cast<double>(times);
  return all == 0 ? 0 : static_cast<double>(count_of(codes, code)) / all;
}

bool has_only(const Codes& codes, std::initializer_list<int> allowed) {
  return std::all_of(codes.begin(), codes.end(), [&](const auto& entry) {
    return std::find(allowed.begin(), allowed.end(), entry.first) != allowed.end();
  });
}

}  // namespace

std::string rows_text(const Sums& rows) {
  std::string text;
  for (const auto& [key, value] : rows) {
    text += (text.empty() ? "" : ", ") + decimal(value, 0) + " x";
    for (const auto& word : key) text += " " + word;
  }
  return text.empty() ? "nothing" : text;
}

std::string times_text(const std::vector<Arrival>& arrivals) {
  std::string text;
  for (const auto& arrival : arrivals) {
    text += (text.empty() ? "" : ", ") + decimal(arrival.time - arrivals.front().time);
  }
  return text.empty() ? "none" : text + " s";
}

Checks judge_plain_call(const Seen& seen) {
  Checks checks;
  expect_hello(checks, seen);
  checks.push_back({"counted as 200, without a flag", rows_text(seen.requests), row(seen.requests, "200", "-") == 1});
  return checks;
}

Checks judge_timeout(const Seen& seen) {
  Checks checks;
  expect_hello(checks, seen);
  expect_timeout(checks, seen, 0.5);
  expect_tries(checks, seen, 1);
  return checks;
}

Checks judge_retries(const Seen& seen, Semantics semantics) {
  if (semantics == Semantics::legacy) return judge_retries_spelled_out(seen);
  Checks checks;
  expect_timeout(checks, seen, kPerTrySeconds);
  expect_tries(checks, seen, 1);
  return checks;
}

Checks judge_retries_spelled_out(const Seen& seen) {
  Checks checks;
  expect_timeout(checks, seen, 2.0);
  expect_tries(checks, seen, 4);
  return checks;
}

Checks judge_ejection(const EjectionSeen& seen, Semantics semantics) {
  Checks checks;
  const auto failed = count_of(seen.codes, 503);
  const auto ejected = std::count_if(seen.endpoints.begin(), seen.endpoints.end(),
                                     [](const auto& endpoint) { return endpoint.is_ejected; });
  const auto text = [](const std::string& what, auto number) { return std::to_string(number) + " " + what; };
  if (semantics == Semantics::istio) {
    const auto low = seen.sent / 12;
    const auto high = seen.sent * 2 / 3;
    checks.push_back({"about a third of " + std::to_string(seen.sent) + " requests fails, to the end: " +
                          std::to_string(low) + " to " + std::to_string(high) + " x 503",
                      codes_text(seen.codes), failed >= low && failed <= high && has_only(seen.codes, {200, 503})});
    checks.push_back({"nobody is ejected", text("ejected", ejected), ejected == 0 && seen.endpoints.size() == 3});
    const bool names_both = seen.findings.find("consecutiveErrors") != std::string::npos &&
                            seen.findings.find("maxEjectionPercent") != std::string::npos;
    checks.push_back({"analyze gives both reasons: consecutiveErrors, maxEjectionPercent",
                      names_both ? "both are named" : "not both are named", names_both});
    return checks;
  }
  checks.push_back({"the broken greeter sees 3 requests, then no more", text("requests", seen.arrivals_at_broken),
                    seen.arrivals_at_broken == 3});
  checks.push_back({"at most those 3 of " + std::to_string(seen.sent) + " requests fail", codes_text(seen.codes),
                    failed <= 3 && has_only(seen.codes, {200, 503})});
  const auto out = std::find_if(seen.endpoints.begin(), seen.endpoints.end(),
                                [](const auto& endpoint) { return endpoint.is_ejected; });
  const bool is_for_ten_minutes = out != seen.endpoints.end() && out->returns_in &&
                                  *out->returns_in > std::chrono::minutes(9) &&
                                  *out->returns_in <= std::chrono::minutes(10) + std::chrono::seconds(10);
  checks.push_back({"one of three is ejected, for ten minutes", text("ejected", ejected),
                    ejected == 1 && seen.endpoints.size() == 3 && is_for_ten_minutes});
  return checks;
}

bool shows_limits(const LimitsSeen& seen) {
  return count_of(seen.two, 503) > 0 && share(seen.three, 503) > share(seen.two, 503);
}

Checks judge_limits(const LimitsSeen& seen) {
  Checks checks;
  checks.push_back({"one connection: every request is answered", codes_text(seen.one),
                    has_only(seen.one, {200}) && !seen.one.empty()});
  checks.push_back({"two connections: some get 503", codes_text(seen.two),
                    count_of(seen.two, 503) > 0 && count_of(seen.two, 200) > 0 && has_only(seen.two, {200, 503})});
  checks.push_back({"three connections: a larger share gets 503",
                    codes_text(seen.three) + " (" + decimal(100 * share(seen.two, 503), 0) + " %, then " +
                        decimal(100 * share(seen.three, 503), 0) + " %)",
                    share(seen.three, 503) > share(seen.two, 503) && has_only(seen.three, {200, 503})});
  const auto refused = count_of(seen.two, 503) + count_of(seen.three, 503);
  checks.push_back({"each 503 is counted as UO", rows_text(seen.requests),
                    row(seen.requests, "503", "UO") == static_cast<double>(refused)});
  const auto answered = count_of(seen.one, 200) + count_of(seen.two, 200) + count_of(seen.three, 200);
  checks.push_back({"none of them reached a greeter: " + std::to_string(answered) + " arrivals",
                    std::to_string(seen.arrivals) + " arrivals", seen.arrivals == answered});
  return checks;
}

Checks judge_metrics(const Sums& rows, const Sums& sources, std::uint64_t sent,
                     const std::vector<std::string>& callers) {
  Checks checks;
  const bool has_all = row(rows, "200", "-") > 0 && row(rows, "503", "UO") > 0 && row(rows, "504", "UT") > 0;
  checks.push_back({"there are rows 200 -, 503 UO and 504 UT", has_all ? "all three" : rows_text(rows), has_all});
  double sum = 0;
  for (const auto& [key, value] : rows) sum += value;
  checks.push_back({"they add up to the " + std::to_string(sent) + " requests that were made", decimal(sum, 0),
                    sum == static_cast<double>(sent)});
  std::string expected;
  for (const auto& caller : callers) expected += (expected.empty() ? "" : ", ") + caller;
  const bool are_known =
      sources.size() == callers.size() &&
      std::all_of(callers.begin(), callers.end(), [&](const auto& caller) { return sources.contains({caller}); });
  checks.push_back({"each is attributed to its caller: " + expected, rows_text(sources), are_known});
  return checks;
}

}  // namespace cli::demo
