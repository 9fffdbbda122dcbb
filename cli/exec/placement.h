#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "base/socket_address.h"
#include "cli/exec/workload_cgroup.h"
#include "cli/process.h"

namespace cli::exec {

// Where a program runs as one instance of a workload: in a cgroup whose connections the agent redirects, with the names
// of the services it may call. Removed by the destructor.
class Placement {
 public:
  // Asks the agent for the services and waits until it redirects the new cgroup. Fails with what to do when there is no
  // agent, no such workload, no privilege, an interruption, or when the agent does not take the cgroup in within
  // `patience`.
  static base::Result<Placement> prepare(const base::SocketAddress& admin, const std::string& name_space,
                                         const std::string& workload, const std::string& instance,
                                         std::chrono::nanoseconds patience = std::chrono::seconds(10));

  Placement(Placement&& other) noexcept;
  Placement& operator=(Placement&&) = delete;
  ~Placement();

  // Puts a process that is about to be started there.
  void apply_to(ProcessSpec& spec) const;

 private:
  Placement(WorkloadCgroup cgroup, std::string hosts_file)
      : cgroup_(std::move(cgroup)), hosts_file_(std::move(hosts_file)) {}

  WorkloadCgroup cgroup_;
  std::string hosts_file_;
};

}  // namespace cli::exec
