#include "cli/commands/cleanup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/mounts.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAgentProgram = "fairlead-agent";

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The folder's entries with their folders after them, the folder itself last.
std::vector<fs::path> bottom_up(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(folder, error))) return paths;
  paths.emplace_back(folder);
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return a.native().size() > b.native().size(); });
  return paths;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
}

// Removing the file of a link detaches the program, unless a process still holds it.
base::Result<> remove_pins(const std::string& folder, Cleaned& cleaned) {
  for (const auto& path : bottom_up(folder)) {
    const bool is_pin = !is_folder(path);
    if ((is_pin ? ::unlink(path.c_str()) : ::rmdir(path.c_str())) != 0)
      return base::fail_errno("remove " + path.string());
    cleaned.pins += is_pin ? 1 : 0;
  }
  return {};
}

base::Result<> remove_cgroups(const std::string& folder, Cleaned& cleaned) {
  for (const auto& path : bottom_up(folder)) {
    if (!is_folder(path)) continue;  // the kernel's files, which go with their cgroup
    if (::rmdir(path.c_str()) == 0) {
      ++cleaned.cgroups;
    } else if (errno != EBUSY && errno != ENOTEMPTY) {
      return base::fail_errno("remove cgroup " + path.string());
    } else if (!read_file(path / "cgroup.procs").empty()) {
      cleaned.cgroups_in_use.push_back(path);
    }
  }
  return {};
}

}  // namespace

base::Result<Cleaned> clean_up(const CleanupPaths& paths) {
  Cleaned cleaned;
  if (auto removed = remove_pins(paths.pins, cleaned); !removed) return tl::unexpected(removed.error());
  if (!paths.cgroups.empty()) {
    if (auto removed = remove_cgroups(paths.cgroups, cleaned); !removed) return tl::unexpected(removed.error());
  }
  return cleaned;
}

int find_agent(const std::string& proc) {
  std::error_code error;
  for (fs::directory_iterator entry(proc, error), end; !error && entry != end; entry.increment(error)) {
    const int pid = std::atoi(entry->path().filename().c_str());
    if (pid > 0 && read_file(entry->path() / "comm") == std::string(kAgentProgram) + "\n") return pid;
  }
  return 0;
}

int run_cleanup(const CleanupOptions& /*options*/) {
  if (::geteuid() != 0) {
    std::fputs("fairlead cleanup: only root may remove pinned programs and cgroups; run it with sudo\n", stderr);
    return kUsage;
  }
  if (const int pid = find_agent(); pid > 0) {
    std::fprintf(stderr, "fairlead cleanup: an agent is running (process %d); end it first: kill %d\n", pid, pid);
    return kBad;
  }
  const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
  const auto cleaned = clean_up({"/sys/fs/bpf/fairlead", cgroup2 ? *cgroup2 + "/fairlead" : ""});
  if (!cleaned) {
    std::fprintf(stderr, "fairlead cleanup: %s\n", cleaned.error().message.c_str());
    return kBad;
  }
  base::unmount_own("/sys/fs/bpf");
  std::printf("removed %zu pinned programs, links and maps and %zu cgroups\n", cleaned->pins, cleaned->cgroups);
  for (const auto& path : cleaned->cgroups_in_use) {
    std::printf("left %s: programs run in it; their connections pass untouched\n", path.c_str());
  }
  return kGood;
}

}  // namespace cli
