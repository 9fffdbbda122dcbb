#include "agent/datapath/cgroup_visit.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

namespace agent {
namespace {

using base::UniqueFd;

constexpr std::string_view kThisProcess = "0";

base::Result<UniqueFd> open_members(const std::string& cgroup) {
  const std::string path = cgroup + "/cgroup.procs";
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + path);
  return fd;
}

bool move_to(const UniqueFd& members) {
  return ::write(members.get(), kThisProcess.data(), kThisProcess.size()) == static_cast<ssize_t>(kThisProcess.size());
}

// "0::/path" is the line of cgroup2.
base::Result<std::string> own_cgroup() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return base::fail(base::Errc::unavailable, "/proc/self/cgroup names no cgroup2");
}

}  // namespace

base::Result<CgroupVisit> CgroupVisit::enter(const std::string& mount, const std::string& cgroup) {
  const auto own = own_cgroup();
  if (!own) return tl::unexpected(own.error());
  auto home = open_members(mount + *own);
  if (!home) return tl::unexpected(home.error());
  const auto there = open_members(cgroup);
  if (!there) return tl::unexpected(there.error());
  if (!move_to(*there)) return base::fail_errno("enter cgroup " + cgroup);
  return CgroupVisit(std::move(*home));
}

CgroupVisit::~CgroupVisit() {
  // Fails only when home was removed meanwhile, and an occupied cgroup cannot be.
  if (home_) (void)move_to(home_);
}

}  // namespace agent
