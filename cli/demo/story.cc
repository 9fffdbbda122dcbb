#include "cli/demo/story.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "cli/load/report.h"

namespace cli::demo {
namespace {

constexpr int kLimitRounds = 5;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::string call_line(const Call& call) {
  char head[64];
  std::snprintf(head, sizeof head, "%-8s %3d  %.3f s  ", call.name.c_str(), call.status, call.seconds);
  return head + call.body;
}

// "greeter v3 saw /version at 0.00, 0.51 s"
std::vector<std::string> arrival_lines(const std::vector<Arrival>& arrivals) {
  std::map<std::pair<std::string, std::string>, std::vector<Arrival>> groups;
  for (const auto& arrival : arrivals) groups[{arrival.path, arrival.version}].push_back(arrival);
  std::vector<std::string> lines;
  for (const auto& [key, group] : groups) {
    std::string line = "greeter " + key.second + " saw " + key.first;
    line += group.size() == 1 ? " once" : " " + std::to_string(group.size()) + " times, at " + times_text(group);
    lines.push_back(line);
  }
  return lines;
}

// Only what counts of a load's report.
std::vector<std::string> code_lines(const std::string& report) {
  std::vector<std::string> lines;
  for (const auto& line : lines_of(report)) {
    const bool is_told = line.starts_with("Code ") || line.starts_with("No answer") ||
                         line.starts_with("# target 50%") || line.starts_with("# target 99%");
    if (is_told) lines.push_back(line);
  }
  return lines;
}

}  // namespace

base::Result<Seen> Story::call(StepReport& step, const std::string& target) {
  const auto before = stage_.requests_by({"response_code", "response_flags"});
  if (!before) return tl::unexpected(before.error());
  const auto command = stage_.call_helloweb(target);
  const auto output = stage_.run(command);
  if (!output) return tl::unexpected(output.error());
  // A command that prints the head as well ends it with an empty line.
  const auto head_end = output->text.find("\r\n\r\n");
  const auto calls = parse_calls(head_end == std::string::npos ? output->text : output->text.substr(head_end + 4));
  if (!calls) return tl::unexpected(calls.error());
  const auto after = stage_.requests_by({"response_code", "response_flags"});
  if (!after) return tl::unexpected(after.error());

  Seen seen{*calls, stage_.new_arrivals(), difference(*before, *after)};
  sent_ += seen.calls.size();
  Exchange exchange{command.typed, {}};
  for (const auto& one : seen.calls) exchange.answer.push_back(call_line(one));
  for (auto& line : arrival_lines(seen.arrivals)) exchange.answer.push_back(std::move(line));
  step.exchanges.push_back(std::move(exchange));
  return seen;
}

base::Result<Codes> Story::load(StepReport& step, const Stage::Command& command) {
  const auto output = stage_.run(command);
  if (!output) return tl::unexpected(output.error());
  auto codes = load::codes_in(output->text);
  if (codes.empty()) {
    const auto lines = lines_of(output->text);
    return base::fail(base::Errc::unavailable,
                      "'" + command.typed + "': " + (lines.empty() ? "no output" : lines.back()));
  }
  for (const auto& [code, times] : codes) sent_ += times;
  step.exchanges.push_back({command.typed, code_lines(output->text)});
  return codes;
}

base::Result<StepReport> Story::plain_call() {
  StepReport step{.number = 1, .title = "A call without a policy"};
  step.says = {"helloweb calls http://greeter-service:3000/hello and one of three greeters answers."};
  const auto before = stage_.redirected_connections();
  if (!before) return tl::unexpected(before.error());
  const auto seen = call(step, "/");
  if (!seen) return tl::unexpected(seen.error());
  step.checks = judge_plain_call(*seen);
  if (stage_.uses_bpf()) {
    const auto after = stage_.redirected_connections();
    if (!after) return tl::unexpected(after.error());
    const auto redirected = static_cast<long>(*after - *before);
    step.checks.push_back(
        {"its connection was redirected in the kernel", std::to_string(redirected) + " connection(s)", redirected > 0});
  }
  return step;
}

base::Result<StepReport> Story::timeout() {
  StepReport step{.number = 2, .title = "Timeout", .policy = "policies/timeout.yaml"};
  step.says = {"All calls go to v3, which takes 2 s for /version; timeout: 0.5s."};
  if (auto applied = stage_.apply(step.policy); !applied) return tl::unexpected(applied.error());
  const auto seen = call(step, "/?separateRequest=true");
  if (!seen) return tl::unexpected(seen.error());
  step.checks = judge_timeout(*seen);
  return step;
}

base::Result<StepReport> Story::retries() {
  StepReport step{.number = 3, .title = "Retries", .policy = "policies/retries.yaml"};
  step.says = {"timeout: 2s, attempts: 3, perTryTimeout: 0.5s."};
  if (semantics_ == Semantics::istio) {
    step.says.emplace_back(
        "Since 2019 a try that takes too long is no reason to retry, unless retryOn says so: one try.");
  } else {
    step.says.emplace_back("In the legacy profile a try that takes too long is a reason to retry: four tries.");
  }
  if (auto applied = stage_.apply(step.policy); !applied) return tl::unexpected(applied.error());
  const auto seen = call(step, "/?separateRequest=true");
  if (!seen) return tl::unexpected(seen.error());
  step.checks = judge_retries(*seen, semantics_);
  return step;
}

base::Result<StepReport> Story::retries_spelled_out() {
  StepReport step{.number = 4, .title = "Retries, spelled out", .policy = "policies/retries-spelled-out.yaml"};
  step.says = {"The same with retryOn: 5xx: four tries within the two seconds."};
  if (auto applied = stage_.apply(step.policy); !applied) return tl::unexpected(applied.error());
  const auto seen = call(step, "/?separateRequest=true");
  if (!seen) return tl::unexpected(seen.error());
  step.checks = judge_retries_spelled_out(*seen);
  return step;
}

base::Result<StepReport> Story::ejection() {
  StepReport step{.number = 5, .title = "Ejection", .policy = "policies/ejection.yaml"};
  step.says = {
      "consecutiveErrors: 3, baseEjectionTime: 10m, maxEjectionPercent: 10. Greeter v1 is broken and answers 503."};
  if (auto applied = stage_.apply(step.policy); !applied) return tl::unexpected(applied.error());
  constexpr std::uint64_t kRequests = 60;
  stage_.break_greeter(true);
  auto codes =
      load(step, stage_.load_helloweb({"-c", "1", "-qps", "0", "-n", std::to_string(kRequests), "-loglevel", "Error"}));
  stage_.break_greeter(false);
  if (!codes) return tl::unexpected(codes.error());
  auto endpoints = stage_.endpoints();
  if (!endpoints) return tl::unexpected(endpoints.error());
  EjectionSeen seen{kRequests, *codes, 0, *endpoints, {}};
  const auto arrivals = stage_.new_arrivals();
  seen.arrivals_at_broken = static_cast<std::uint64_t>(
      std::count_if(arrivals.begin(), arrivals.end(), [](const auto& arrival) { return arrival.version == "v1"; }));
  if (semantics_ == Semantics::istio) {
    const auto command = stage_.analyze();
    const auto output = stage_.run(command);
    if (!output) return tl::unexpected(output.error());
    seen.findings = output->text;
    step.exchanges.push_back({command.typed, lines_of(output->text)});
  }
  step.checks = judge_ejection(seen, semantics_);
  return step;
}

base::Result<StepReport> Story::limits() {
  StepReport step{.number = 6, .title = "Limits", .policy = "policies/limits.yaml"};
  step.says = {"http1MaxPendingRequests: 1, maxRequestsPerConnection: 1: who would have to queue is refused at once."};
  if (auto applied = stage_.apply(step.policy); !applied) return tl::unexpected(applied.error());
  const auto before = stage_.requests_by({"response_code", "response_flags"});
  if (!before) return tl::unexpected(before.error());
  LimitsSeen seen;
  struct Load {
    const char* connections;
    const char* requests;
    Codes* codes;
  };
  const auto run = [&](const Load& one) -> base::Result<> {
    const auto codes =
        load(step, stage_.load_greeter({"-c", one.connections, "-qps", "0", "-n", one.requests, "-loglevel", "Error"}));
    if (!codes) return tl::unexpected(codes.error());
    for (const auto& [code, count] : *codes) (*one.codes)[code] += count;
    return {};
  };
  if (auto ran = run({"1", "20", &seen.one}); !ran) return tl::unexpected(ran.error());
  // Whether two requests meet while a connection is made is chance: a few rounds show what one may not.
  for (int round = 0; round < kLimitRounds && !shows_limits(seen); ++round) {
    for (const auto& one : {Load{"2", "20", &seen.two}, Load{"3", "50", &seen.three}}) {
      if (auto ran = run(one); !ran) return tl::unexpected(ran.error());
    }
  }
  const auto after = stage_.requests_by({"response_code", "response_flags"});
  if (!after) return tl::unexpected(after.error());
  seen.arrivals = stage_.new_arrivals().size();
  seen.requests = difference(*before, *after);
  step.checks = judge_limits(seen);
  return step;
}

base::Result<StepReport> Story::metrics() {
  StepReport step{.number = 7, .title = "Metrics"};
  step.says = {"What Prometheus would answer, computed from /metrics. reporter=\"source\" is the callers' view."};
  const auto rows = stage_.requests_by({"response_code", "response_flags"});
  const auto sources = stage_.requests_by({"source_workload"});
  if (!rows) return tl::unexpected(rows.error());
  if (!sources) return tl::unexpected(sources.error());
  Exchange exchange{
      "sum(istio_requests_total{destination_app=\"greeter-service\", reporter=\"source\"}) by (response_code, "
      "response_flags)",
      {}};
  for (const auto& [key, value] : *rows) {
    char line[160];
    std::snprintf(line, sizeof line, "{response_code=\"%s\", response_flags=\"%s\"}%*s%.0f", key[0].c_str(),
                  key[1].c_str(), static_cast<int>(10 - std::min<std::size_t>(key[1].size(), 8)), "", value);
    exchange.answer.emplace_back(line);
  }
  step.exchanges.push_back(std::move(exchange));
  step.checks = judge_metrics(*rows, *sources, sent_, stage_.callers());
  return step;
}

base::Result<> Story::play(const std::function<void(const StepReport&)>& on_step) {
  for (const auto& play_step : {&Story::plain_call, &Story::timeout, &Story::retries, &Story::retries_spelled_out,
                                &Story::ejection, &Story::limits, &Story::metrics}) {
    const auto step = (this->*play_step)();
    if (!step) return tl::unexpected(step.error());
    on_step(*step);
  }
  return {};
}

}  // namespace cli::demo
