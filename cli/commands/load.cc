#include "cli/commands/load.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/unique_fd.h"
#include "cli/exit_code.h"
#include "cli/http/client.h"
#include "cli/http/url.h"
#include "cli/load/report.h"
#include "cli/load/runner.h"

namespace cli {
namespace {

// Interrupts end the run, and what was measured so far is still reported.
base::UniqueFd interruptions() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  return base::UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

void print_start(const LoadOptions& options, const load::Plan& plan) {
  char rate[64] = "the maximum rate";
  if (plan.requests_per_second > 0)
    std::snprintf(rate, sizeof rate, "%g requests per second", plan.requests_per_second);
  char amount[64];
  if (plan.requests) {
    std::snprintf(amount, sizeof amount, "%llu calls", static_cast<unsigned long long>(*plan.requests));
  } else {
    std::snprintf(amount, sizeof amount, "%g s", std::chrono::duration<double>(*plan.duration).count());
  }
  std::fprintf(stderr, "Sending at %s over %u connections for %s: %s (%s)\n", rate, plan.connections, amount,
               options.url.c_str(), plan.address.to_string().c_str());
}

void print_not_ok(const load::Outcome& outcome) {
  for (const auto& [code, times] : outcome.codes) {
    if (code == load::kNoAnswer || (code >= 200 && code < 400)) continue;
    std::fprintf(stderr, "Warning: %llu answers with code %d\n", static_cast<unsigned long long>(times), code);
  }
}

int usage_error(const std::string& message) {
  std::fprintf(stderr, "fairlead load: %s\n", message.c_str());
  return kUsage;
}

int run_one_request(const LoadOptions& options) {
  const auto url = http::Url::parse(options.url);
  if (!url) return usage_error(url.error().message);
  const auto address = http::resolve(url->host, url->port);
  if (!address) return usage_error(address.error().message);
  const auto response = http::get({*address, url->target, url->authority(), options.headers, options.timeout});
  if (!response) {
    std::fprintf(stderr, "fairlead load: %s\n", response.error().message.c_str());
    return kBad;
  }
  std::fwrite(response->head.data(), 1, response->head.size(), stdout);
  std::fputs("\r\n", stdout);
  std::fwrite(response->body.data(), 1, response->body.size(), stdout);
  return kGood;
}

bool write_json(const std::string& path, const std::string& json) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  const bool is_written = std::fputs(json.c_str(), file) >= 0;
  return (file == stdout ? std::fflush(file) : std::fclose(file)) == 0 && is_written;
}

}  // namespace

base::Result<load::Plan> plan_of(const LoadOptions& options) {
  auto url = http::Url::parse(options.url);
  if (!url) return tl::unexpected(url.error());
  if (options.connections == 0 || options.connections > 10'000) {
    return base::fail(base::Errc::invalid, "-c must be between 1 and 10000");
  }
  for (const auto& header : options.headers) {
    if (header.find(':') == std::string::npos || header.find_first_of("\r\n") != std::string::npos) {
      return base::fail(base::Errc::invalid, "-H '" + header + "' is no header; write -H 'Name: value'");
    }
  }
  auto address = http::resolve(url->host, url->port);
  if (!address) return tl::unexpected(address.error());
  load::Plan plan;
  plan.address = *address;
  plan.request = http::request_head("GET", url->target, url->authority(), options.headers);
  plan.connections = options.connections;
  plan.requests_per_second = std::max(0.0, options.requests_per_second);
  if (options.requests > 0) {
    plan.requests = options.requests;
    // A connection without a request would only be noise in the figures.
    plan.connections = static_cast<std::uint32_t>(std::min<std::uint64_t>(plan.connections, options.requests));
  } else {
    plan.duration = options.duration;
  }
  plan.timeout = options.timeout;
  plan.keeps_alive = options.keeps_alive;
  return plan;
}

int run_load(const LoadOptions& options) {
  if (options.is_one_request) return run_one_request(options);
  auto plan = plan_of(options);
  if (!plan) return usage_error(plan.error().message);
  const auto stop = interruptions();
  plan->stop_fd = stop.get();
  if (options.log_level <= LoadLogLevel::info) print_start(options, *plan);
  const auto outcome = load::run(*plan);
  if (!outcome) return usage_error(outcome.error().message);
  if (options.log_level <= LoadLogLevel::warning) print_not_ok(*outcome);
  const bool has_distribution = options.log_level < LoadLogLevel::warning;
  if (options.json_path != "-") {
    std::fputs(load::text_report(*plan, *outcome, {.has_distribution = has_distribution}).c_str(), stdout);
  }
  if (!options.json_path.empty() && !write_json(options.json_path, load::json_report(*plan, *outcome))) {
    return usage_error("cannot write " + options.json_path);
  }
  if (outcome->answers() > 0) return kGood;
  std::fprintf(stderr, "fairlead load: no request was answered; is %s the right address?\n", options.url.c_str());
  return kBad;
}

}  // namespace cli
