#include "cli/load/report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace cli::load {
namespace {

constexpr std::array<double, 5> kPercentiles{50, 75, 90, 99, 99.9};

// As many digits as tell, as Go's %g with a precision: 0.0012, 1.5, 50.
std::string number(double value, int digits = 8) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string fixed(double value, int decimals) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

// "53.9ms", "1.204s": what a person reads.
std::string human(double value) {
  if (value < 1e-3) return number(value * 1e6, 4) + "µs";
  if (value < 1) return number(value * 1e3, 4) + "ms";
  return number(value, 4) + "s";
}

double rate(const Outcome& outcome) {
  const double elapsed = seconds(outcome.elapsed);
  return elapsed > 0 ? static_cast<double>(outcome.requests()) / elapsed : 0;
}

void add_distribution(std::string& text, const Histogram& durations) {
  text += "# range, mid point, percentile, count\n";
  for (const auto& range : durations.ranges()) {
    text += ">= " + number(range.from, 6) + " <= " + number(range.to, 6) + " , " +
            number((range.from + range.to) / 2, 6) + " , " + fixed(range.percentile, 2) + ", " +
            std::to_string(range.count) + "\n";
  }
}

}  // namespace

std::string text_report(const Plan& plan, const Outcome& outcome, ReportStyle style) {
  const auto& durations = outcome.durations;
  const auto count = outcome.requests();
  std::string text = "Ended after " + human(seconds(outcome.elapsed)) + " : " + std::to_string(count) +
                     " calls. qps=" + number(rate(outcome), 5) + "\n";
  if (count == 0) return text + "All done 0 calls\n";
  text += "Aggregated Function Time : count " + std::to_string(count) + " avg " + number(durations.average()) +
          " +/- " + number(durations.standard_deviation(), 4) + " min " + number(durations.min()) + " max " +
          number(durations.max()) + " sum " + number(durations.sum()) + "\n";
  if (style.has_distribution) add_distribution(text, durations);
  for (const double percent : kPercentiles) {
    text += "# target " + number(percent) + "% " + number(durations.percentile(percent), 6) + "\n";
  }
  const auto ideal = plan.keeps_alive ? std::min<std::uint64_t>(plan.connections, count) : count;
  text += "Sockets used: " + std::to_string(outcome.sockets) +
          (plan.keeps_alive ? " (for perfect keepalive, would be " + std::to_string(ideal) + ")\n" : "\n");
  for (const auto& [code, times] : outcome.codes) {
    const double percent = 100 * static_cast<double>(times) / static_cast<double>(count);
    text += "Code " + (code == kNoAnswer ? std::string(" -1") : std::to_string(code)) + " : " + std::to_string(times) +
            " (" + fixed(percent, 1) + " %)\n";
  }
  for (const auto& [reason, times] : outcome.failures) {
    text += "No answer : " + std::to_string(times) + " (" + reason + ")\n";
  }
  if (const auto answers = outcome.answers(); answers > 0) {
    const auto average = [answers](std::uint64_t bytes) {
      return number(static_cast<double>(bytes) / static_cast<double>(answers), 6);
    };
    text += "Response Header Sizes : count " + std::to_string(answers) + " avg " + average(outcome.header_bytes) + "\n";
    text += "Response Body/Total Sizes : count " + std::to_string(answers) + " avg " +
            average(outcome.header_bytes + outcome.body_bytes) + "\n";
  }
  text += "All done " + std::to_string(count) + " calls (plus 0 warmup) " + fixed(durations.average() * 1e3, 3) +
          " ms avg, " + fixed(rate(outcome), 1) + " qps\n";
  return text;
}

std::string json_report(const Plan& plan, const Outcome& outcome) {
  const auto& durations = outcome.durations;
  std::string percentiles;
  for (const double percent : kPercentiles) {
    percentiles += std::string(percentiles.empty() ? "" : ", ") + "{\"Percentile\": " + number(percent) +
                   ", \"Value\": " + number(durations.percentile(percent)) + "}";
  }
  std::string codes;
  for (const auto& [code, times] : outcome.codes) {
    codes += std::string(codes.empty() ? "" : ", ") + "\"" + std::to_string(code) + "\": " + std::to_string(times);
  }
  const std::string requested = plan.requests_per_second > 0 ? number(plan.requests_per_second) : std::string("max");
  return "{\n  \"RequestedQPS\": \"" + requested + "\",\n  \"ActualQPS\": " + number(rate(outcome)) +
         ",\n  \"ActualDuration\": " + std::to_string(outcome.elapsed.count()) +
         ",\n  \"NumThreads\": " + std::to_string(plan.connections) + ",\n  \"RetCodes\": {" + codes +
         "},\n  \"SocketCount\": " + std::to_string(outcome.sockets) +
         ",\n  \"DurationHistogram\": {\"Count\": " + std::to_string(durations.count()) +
         ", \"Min\": " + number(durations.min()) + ", \"Max\": " + number(durations.max()) +
         ", \"Sum\": " + number(durations.sum()) + ", \"Avg\": " + number(durations.average()) +
         ", \"StdDev\": " + number(durations.standard_deviation()) + ", \"Percentiles\": [" + percentiles + "]}\n}\n";
}

std::map<int, std::uint64_t> codes_in(std::string_view report) {
  std::map<int, std::uint64_t> codes;
  while (!report.empty()) {
    const auto end = std::min(report.find('\n'), report.size());
    const std::string line(report.substr(0, end));
    int code = 0;
    unsigned long long times = 0;
    if (std::sscanf(line.c_str(), "Code %d : %llu (", &code, &times) == 2) codes[code] += times;
    report.remove_prefix(std::min(end + 1, report.size()));
  }
  return codes;
}

}  // namespace cli::load
