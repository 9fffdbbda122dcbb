#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cli {

struct CleanupOptions {};

// Removes what outlives the agent on purpose: its pinned programs and maps, and the cgroups of workloads that have
// ended. 1: an agent is running, or something could not be removed.
int run_cleanup(const CleanupOptions& options);

struct CleanupPaths {
  std::string pins;     // /sys/fs/bpf/fairlead
  std::string cgroups;  // <cgroup2>/fairlead; empty: no cgroup2 here
};

struct Cleaned {
  std::size_t pins = 0;
  std::size_t cgroups = 0;
  std::vector<std::string> cgroups_in_use;  // left alone: processes run in them
};
base::Result<Cleaned> clean_up(const CleanupPaths& paths);

// The process of an agent that runs on this machine; 0: none.
int find_agent(const std::string& proc = "/proc");

}  // namespace cli
