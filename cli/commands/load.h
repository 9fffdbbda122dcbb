#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/load/plan.h"

namespace cli {

enum class LoadLogLevel : std::uint8_t { debug, verbose, info, warning, error };

// Fortio's flags and defaults.
struct LoadOptions {
  std::string url;
  std::uint32_t connections = 4;
  double requests_per_second = 8;  // 0 or less: no limit
  std::uint64_t requests = 0;      // 0: for `duration`
  std::chrono::nanoseconds duration{std::chrono::seconds(5)};
  std::chrono::nanoseconds timeout{std::chrono::seconds(3)};
  std::vector<std::string> headers;
  bool keeps_alive = true;
  bool is_one_request = false;  // -curl: send one request and print the whole answer
  LoadLogLevel log_level = LoadLogLevel::info;
  std::string json_path;  // "-": standard output
};

// Resolves the host; fails with what to do when it cannot.
base::Result<load::Plan> plan_of(const LoadOptions& options);

int run_load(const LoadOptions& options);

}  // namespace cli
