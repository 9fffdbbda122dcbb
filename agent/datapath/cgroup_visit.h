#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace agent {

// This process (with all its threads) is in another cgroup for as long as the visit lasts. Sockets belong to the cgroup
// they are made in, for good: the proxy's listening sockets are made during a visit to the proxy's cgroup, which is why
// Datapath::attach_proxy() sees the connections they accept.
class CgroupVisit {
 public:
  // `mount`: of the cgroup2 hierarchy; `cgroup`: a folder in it.
  static base::Result<CgroupVisit> enter(const std::string& mount, const std::string& cgroup);
  CgroupVisit(CgroupVisit&&) noexcept = default;
  CgroupVisit& operator=(CgroupVisit&&) = delete;
  ~CgroupVisit();

 private:
  explicit CgroupVisit(base::UniqueFd home) : home_(std::move(home)) {}
  base::UniqueFd home_;  // cgroup.procs of where we came from
};

}  // namespace agent
