#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace agent {

// The cgroups of this host, and when they change. No thread of its own; never polls.
class CgroupTree {
 public:
  // `mount`: where the cgroup2 hierarchy is mounted.
  static base::Result<CgroupTree> open(std::string mount);

  // Readable when cgroups came or went.
  [[nodiscard]] int fd() const { return watch_.get(); }
  // Takes the pending events; true when a cgroup came or went.
  bool take_changes();

  // All cgroups below the mount as paths from it ("/system.slice/web.service"), parents before their children; from now
  // on each of them is watched.
  std::vector<std::string> list();

 private:
  void visit(const std::string& path, std::vector<std::string>& found);

  std::string mount_;
  base::UniqueFd watch_;
};

}  // namespace agent
