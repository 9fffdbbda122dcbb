#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace agent::telemetry {

// What Prometheus clients report as process_*.
struct ProcessStats {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t threads = 0;
  std::optional<std::uint64_t> open_fds;  // none: not permitted to look
  std::optional<std::uint64_t> max_fds;   // none: unlimited, or not permitted to look
};

// From /proc; none when there is no such process.
std::optional<ProcessStats> read_process_stats(pid_t pid);

}  // namespace agent::telemetry
