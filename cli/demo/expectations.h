#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/admin/node_view.h"
#include "cli/demo/metrics_page.h"
#include "cli/demo/observations.h"
#include "config/model/settings.h"

// What each step of the story must show, in today's Istio and in the legacy profile (SEMANTICS 1). Pure: observations
// in, verdicts out.
namespace cli::demo {

struct Check {
  std::string claim;     // what must be, with its range
  std::string observed;  // what was
  bool passed = false;
};
using Checks = std::vector<Check>;

using config::Semantics;

// What one request through helloweb left behind.
struct Seen {
  std::vector<Call> calls;
  std::vector<Arrival> arrivals;  // at all greeters, in order of time
  Sums requests;                  // by response_code and response_flags, as the callers saw them
};

Checks judge_plain_call(const Seen& seen);
Checks judge_timeout(const Seen& seen);
Checks judge_retries(const Seen& seen, Semantics semantics);
Checks judge_retries_spelled_out(const Seen& seen);

using Codes = std::map<int, std::uint64_t>;

struct EjectionSeen {
  std::uint64_t sent = 0;
  Codes codes;  // what the load saw
  std::uint64_t arrivals_at_broken = 0;
  std::vector<admin::EndpointView> endpoints;  // of the greeter, as helloweb's proxy has them
  std::string findings;                        // what analyze prints
};
Checks judge_ejection(const EjectionSeen& seen, Semantics semantics);

struct LimitsSeen {
  Codes one, two, three;       // by connections
  std::uint64_t arrivals = 0;  // at all greeters
  Sums requests;
};
// Some of two are refused, and more of three.
bool shows_limits(const LimitsSeen& seen);
Checks judge_limits(const LimitsSeen& seen);

// `rows`: by response_code and response_flags; `sources`: by source_workload.
Checks judge_metrics(const Sums& rows, const Sums& sources, std::uint64_t sent,
                     const std::vector<std::string>& callers);

// "200 -  x 3, 504 UT x 1"
std::string rows_text(const Sums& rows);
// "0.00, 0.51, 1.04 s": times since the first.
std::string times_text(const std::vector<Arrival>& arrivals);

}  // namespace cli::demo
