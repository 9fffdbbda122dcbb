#include "cli/demo/expectations.h"

#include <chrono>

#include <gtest/gtest.h>

#include "cli/demo/examples.h"
#include "cli/demo/report.h"

namespace cli::demo {
namespace {

bool all_pass(const Checks& checks) { return StepReport{.checks = checks}.passed(); }

std::string failed(const Checks& checks) {
  std::string text;
  for (const auto& check : checks) {
    if (!check.passed) text += check.claim + " / observed: " + check.observed + "\n";
  }
  return text;
}

Seen seen_with_tries(const std::vector<double>& times, double seconds) {
  Seen seen;
  seen.calls = {{"hello", 200, 0.004, "{}"}, {"version", 504, seconds, "upstream request timeout"}};
  seen.arrivals = {{100, "v3", "/hello", "1"}};
  int attempt = 0;
  for (const double time : times) seen.arrivals.push_back({100.01 + time, "v3", "/version", std::to_string(++attempt)});
  seen.requests = {{{"200", "-"}, 1}, {{"504", "UT"}, 1}};
  return seen;
}

TEST(JudgeTimeout, PassesWhatEnvoyDoes) {
  const auto checks = judge_timeout(seen_with_tries({0}, 0.503));
  EXPECT_TRUE(all_pass(checks)) << failed(checks);
}

TEST(JudgeTimeout, FailsOnAnyDifference) {
  const std::vector<void (*)(Seen&)> spoils{
      [](Seen& seen) { seen.calls[0].status = 503; },
      [](Seen& seen) { seen.calls[1].status = 200; },
      [](Seen& seen) { seen.calls[1].seconds = 0.499; },
      [](Seen& seen) { seen.calls[1].seconds = 0.9; },
      [](Seen& seen) { seen.calls[1].body += "\n"; },
      [](Seen& seen) { seen.requests[{"504", "UT"}] = 2; },
      [](Seen& seen) { seen.requests.clear(); },
      [](Seen& seen) { seen.calls.clear(); },
      [](Seen& seen) { seen.arrivals.push_back(seen.arrivals.back()); },
      [](Seen& seen) { seen.arrivals.clear(); },
  };
  for (std::size_t i = 0; i < spoils.size(); ++i) {
    auto seen = seen_with_tries({0}, 0.503);
    spoils[i](seen);
    EXPECT_FALSE(all_pass(judge_timeout(seen))) << i;
  }
}

TEST(JudgeRetries, TodaysIstioMakesOneTryAndTheLegacyProfileFour) {
  const auto one = seen_with_tries({0}, 0.51);
  const auto four = seen_with_tries({0, 0.51, 1.03, 1.6}, 2.01);
  EXPECT_TRUE(all_pass(judge_retries(one, Semantics::istio))) << failed(judge_retries(one, Semantics::istio));
  EXPECT_TRUE(all_pass(judge_retries(four, Semantics::legacy))) << failed(judge_retries(four, Semantics::legacy));
  EXPECT_FALSE(all_pass(judge_retries(four, Semantics::istio)));
  EXPECT_FALSE(all_pass(judge_retries(one, Semantics::legacy)));
}

TEST(JudgeRetriesSpelledOut, WantsTheRhythmAndTheCount) {
  EXPECT_TRUE(all_pass(judge_retries_spelled_out(seen_with_tries({0, 0.5, 1.0, 1.5}, 2.0))));
  EXPECT_FALSE(all_pass(judge_retries_spelled_out(seen_with_tries({0, 0.5, 1.0}, 2.0))));
  EXPECT_FALSE(all_pass(judge_retries_spelled_out(seen_with_tries({0, 0.5, 1.0, 1.5, 1.9}, 2.0))));
  EXPECT_FALSE(all_pass(judge_retries_spelled_out(seen_with_tries({0, 0.0, 0.5, 1.0}, 2.0))));
  EXPECT_FALSE(all_pass(judge_retries_spelled_out(seen_with_tries({0, 0.5, 1.0, 1.5}, 1.9))));
  auto wrong_count = seen_with_tries({0, 0.5, 1.0, 1.5}, 2.0);
  wrong_count.arrivals.back().attempt = "1";
  EXPECT_FALSE(all_pass(judge_retries_spelled_out(wrong_count)));
}

EjectionSeen ejection_seen(std::uint64_t failed_requests, std::size_t ejected) {
  EjectionSeen seen;
  seen.sent = 60;
  seen.codes = {{200, 60 - failed_requests}, {503, failed_requests}};
  seen.arrivals_at_broken = failed_requests;
  seen.endpoints.resize(3);
  for (std::size_t i = 0; i < ejected; ++i) {
    seen.endpoints[i].is_ejected = true;
    seen.endpoints[i].returns_in = std::chrono::seconds(598);
  }
  seen.findings = "... consecutiveErrors is ignored ... maxEjectionPercent 10 of 3 ...";
  return seen;
}

TEST(JudgeEjection, TodaysIstioEjectsNobodyAndTheLegacyProfileOne) {
  EXPECT_TRUE(all_pass(judge_ejection(ejection_seen(20, 0), Semantics::istio)));
  EXPECT_TRUE(all_pass(judge_ejection(ejection_seen(3, 1), Semantics::legacy)));
  EXPECT_FALSE(all_pass(judge_ejection(ejection_seen(20, 0), Semantics::legacy)));
  EXPECT_FALSE(all_pass(judge_ejection(ejection_seen(3, 1), Semantics::istio)));
  EXPECT_FALSE(all_pass(judge_ejection(ejection_seen(20, 1), Semantics::istio)));
  EXPECT_FALSE(all_pass(judge_ejection(ejection_seen(3, 2), Semantics::legacy)));
}

TEST(JudgeEjection, WantsTheReasonsAndTheTenMinutes) {
  auto silent = ejection_seen(20, 0);
  silent.findings = "consecutiveErrors";
  EXPECT_FALSE(all_pass(judge_ejection(silent, Semantics::istio)));
  auto short_ejection = ejection_seen(3, 1);
  short_ejection.endpoints[0].returns_in = std::chrono::seconds(30);
  EXPECT_FALSE(all_pass(judge_ejection(short_ejection, Semantics::legacy)));
}

LimitsSeen limits_seen() {
  return {{{200, 20}}, {{200, 17}, {503, 3}}, {{200, 35}, {503, 15}}, 72, {{{"200", "-"}, 72}, {{"503", "UO"}, 18}}};
}

TEST(JudgeLimits, WantsTheShapeAndTheFlag) {
  EXPECT_TRUE(all_pass(judge_limits(limits_seen()))) << failed(judge_limits(limits_seen()));
  const std::vector<void (*)(LimitsSeen&)> spoils{
      [](LimitsSeen& seen) { seen.one[503] = 1; },      [](LimitsSeen& seen) { seen.one.clear(); },
      [](LimitsSeen& seen) { seen.two = {{200, 20}}; }, [](LimitsSeen& seen) { seen.three = {{200, 45}, {503, 5}}; },
      [](LimitsSeen& seen) { seen.two[-1] = 1; },       [](LimitsSeen& seen) { seen.requests.erase({"503", "UO"}); },
      [](LimitsSeen& seen) { seen.arrivals = 90; },
  };
  for (std::size_t i = 0; i < spoils.size(); ++i) {
    auto seen = limits_seen();
    spoils[i](seen);
    EXPECT_FALSE(all_pass(judge_limits(seen))) << i;
  }
}

TEST(JudgeMetrics, WantsEveryRequestOnceAndItsCaller) {
  const Sums rows{{{"200", "-"}, 70}, {{"503", "UO"}, 18}, {{"504", "UT"}, 3}};
  const Sums sources{{{"helloweb"}, 11}, {{"load"}, 80}};
  EXPECT_TRUE(all_pass(judge_metrics(rows, sources, 91, {"helloweb", "load"})));
  EXPECT_FALSE(all_pass(judge_metrics(rows, sources, 92, {"helloweb", "load"})));
  EXPECT_FALSE(all_pass(judge_metrics(rows, sources, 91, {"helloweb"})));
  EXPECT_FALSE(all_pass(judge_metrics({{{"200", "-"}, 91}}, sources, 91, {"helloweb", "load"})));
}

TEST(StepText, ShowsWhatWasSentWhatCameBackAndTheVerdict) {
  const StepReport step{.number = 2,
                        .title = "Retries",
                        .policy = "policies/retries.yaml",
                        .says = {"timeout 2s"},
                        .exchanges = {{"curl http://a/", {"200 \033[2J"}}},
                        .checks = {{"it works", "yes", true}, {"it is fast", "3 s", false}}};
  EXPECT_FALSE(step.passed());
  EXPECT_EQ(step_text(step, Terminal(false)),
            "2  Retries  policies/retries.yaml\n"
            "   timeout 2s\n"
            "\n"
            "   $ curl http://a/\n"
            "     200 ?[2J\n"
            "\n"
            "   PASS  it works    yes\n"
            "   FAIL  it is fast  3 s\n"
            "\n");
}

TEST(Examples, AreTheFilesOfTheStory) {
  for (const auto* name :
       {"greeter.py", "helloweb.py", "services.yaml", "policies/timeout.yaml", "policies/retries.yaml",
        "policies/retries-spelled-out.yaml", "policies/ejection.yaml", "policies/limits.yaml"}) {
    EXPECT_FALSE(example(name).empty()) << name;
  }
}

}  // namespace
}  // namespace cli::demo
