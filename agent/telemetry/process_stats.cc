#include "agent/telemetry/process_stats.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace agent::telemetry {
namespace {

std::optional<double> boot_time_seconds() {
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return std::nullopt;
}

}  // namespace

std::optional<ProcessStats> read_process_stats(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  std::string line;
  if (!std::getline(std::ifstream(directory + "/stat"), line)) return std::nullopt;
  // The second field is the program's name in parentheses and may hold anything.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string state;
  fields >> state;
  std::uint64_t values[25] = {};
  for (int field = 4; field <= 24 && fields; ++field) fields >> values[field];
  if (!fields) return std::nullopt;

  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessStats stats;
  stats.cpu_seconds = static_cast<double>(values[14] + values[15]) / ticks;
  stats.threads = values[20];
  stats.start_time_seconds = boot_time_seconds().value_or(0) + static_cast<double>(values[22]) / ticks;
  stats.virtual_bytes = values[23];
  stats.resident_bytes = values[24] * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));

  std::error_code error;
  std::uint64_t open_fds = 0;
  for (auto entry = std::filesystem::directory_iterator(directory + "/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++open_fds;
  }
  if (!error) stats.open_fds = open_fds;

  std::ifstream limits(directory + "/limits");
  constexpr std::string_view kMaxFiles = "Max open files";
  while (std::getline(limits, line)) {
    if (!line.starts_with(kMaxFiles)) continue;
    std::istringstream soft_and_hard(line.substr(kMaxFiles.size()));
    std::uint64_t soft = 0;
    if (soft_and_hard >> soft) stats.max_fds = soft;
  }
  return stats;
}

}  // namespace agent::telemetry
