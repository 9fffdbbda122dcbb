#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cli/load/plan.h"

// The text and JSON that Fortio users and their scripts read.
namespace cli::load {

struct ReportStyle {
  bool has_distribution = true;  // the table of ranges, not only the percentiles
};

std::string text_report(const Plan& plan, const Outcome& outcome, ReportStyle style = {});

// Fortio's key names, as far as we have the value: RequestedQPS, ActualDuration (ns), NumThreads, RetCodes,
// DurationHistogram {Count, Min, Max, Sum, Avg, StdDev, Percentiles}, SocketCount.
std::string json_report(const Plan& plan, const Outcome& outcome);

// Reads the "Code 200 : 11 (55.0 %)" lines back.
std::map<int, std::uint64_t> codes_in(std::string_view report);

}  // namespace cli::load
