#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cli::exec {

// A cgroup of its own for one instance of a workload: <cgroup2>/fairlead/workloads/<namespace>.<name>/<instance>.
// The destructor ends what still runs in it and removes it, and the folders above that nobody else needs.
class WorkloadCgroup {
 public:
  // `cgroup2`: the mount point. Needs the right to create cgroups there (root).
  static base::Result<WorkloadCgroup> create(const std::string& cgroup2, std::string_view name_space,
                                             std::string_view name, std::string_view instance);

  WorkloadCgroup(WorkloadCgroup&& other) noexcept;
  WorkloadCgroup& operator=(WorkloadCgroup&&) = delete;
  ~WorkloadCgroup();

  [[nodiscard]] const std::string& directory() const { return directory_; }
  // Below the mount, as documents and the agent name it.
  [[nodiscard]] std::string path() const { return directory_.substr(mount_size_); }

 private:
  WorkloadCgroup(std::string directory, std::size_t mount_size)
      : directory_(std::move(directory)), mount_size_(mount_size) {}

  std::string directory_;
  std::size_t mount_size_;
};

// Ends every process in the cgroup and below, waits until it is empty and removes it.
base::Result<> remove_cgroup(const std::string& directory);

}  // namespace cli::exec
