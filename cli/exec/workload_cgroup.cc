#include "cli/exec/workload_cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace cli::exec {
namespace {

constexpr auto kTimeToEmpty = std::chrono::seconds(5);
constexpr int kTriesToCreate = 10;

bool is_safe_part(std::string_view text) {
  return !text.empty() && text.size() < 200 && text.front() != '.' &&
         std::all_of(
             text.begin(), text.end(),
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '.' || c == '_';
             });
}

// 0, or why not. The last folder must be new.
int make_folders(std::string folder, std::span<const std::string> parts) {
  for (const auto& part : parts) {
    folder += "/" + part;
    if (::mkdir(folder.c_str(), 0755) != 0 && (errno != EEXIST || &part == &parts.back())) return errno;
  }
  return 0;
}

std::vector<std::string> with_descendants(const std::string& directory) {
  std::vector<std::string> all{directory};
  std::error_code ignored;
  for (std::filesystem::recursive_directory_iterator entry(directory, ignored), end; entry != end;
       entry.increment(ignored)) {
    if (entry->is_directory(ignored)) all.push_back(entry->path());
  }
  std::reverse(all.begin(), all.end());  // children first
  return all;
}

// Kernels before 5.14 have no cgroup.kill; then each process is ended by its number.
void kill_members(const std::string& directory) {
  const base::UniqueFd fd(::open((directory + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), "1", 1) == 1) return;
  for (const auto& cgroup : with_descendants(directory)) {
    std::ifstream members(cgroup + "/cgroup.procs");
    for (pid_t pid = 0; members >> pid;) {
      if (pid > 0) ::kill(pid, SIGKILL);
    }
  }
}

bool is_populated(int events_fd) {
  char text[256];
  const auto count = ::pread(events_fd, text, sizeof text, 0);
  return count > 0 &&
         std::string_view(text, static_cast<std::size_t>(count)).find("populated 1") != std::string_view::npos;
}

// cgroup.events reports with POLLPRI when the last process has left.
void wait_until_empty(const std::string& directory) {
  const base::UniqueFd fd(::open((directory + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  const auto deadline = base::now() + kTimeToEmpty;
  while (fd && is_populated(fd.get())) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::now()).count();
    if (left <= 0) return;
    pollfd entry{fd.get(), POLLPRI, 0};
    ::poll(&entry, 1, static_cast<int>(left));
  }
}

}  // namespace

base::Result<WorkloadCgroup> WorkloadCgroup::create(const std::string& cgroup2, std::string_view name_space,
                                                    std::string_view name, std::string_view instance) {
  for (const auto part : {name_space, name, instance}) {
    if (!is_safe_part(part)) return base::fail(base::Errc::invalid, "'" + std::string(part) + "' is no name");
  }
  const std::string parts[] = {"fairlead", "workloads", std::string(name_space) + "." + std::string(name),
                               std::string(instance)};
  int error = ENOENT;  // a command that ended took a folder with it that was there a moment ago
  for (int tries = 0; error == ENOENT && tries < kTriesToCreate; ++tries) error = make_folders(cgroup2, parts);
  std::string directory = cgroup2;
  for (const auto& part : parts) directory += "/" + part;
  if (error != 0) return base::fail_errno("create cgroup " + directory, error);
  return WorkloadCgroup(std::move(directory), cgroup2.size());
}

WorkloadCgroup::WorkloadCgroup(WorkloadCgroup&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), mount_size_(other.mount_size_) {}

WorkloadCgroup::~WorkloadCgroup() {
  if (directory_.empty()) return;
  if (!remove_cgroup(directory_)) return;
  // The folders above are shared, and go with the last who uses them.
  std::string folder = directory_;
  do {
    folder.resize(folder.rfind('/'));
  } while (folder.size() > mount_size_ && ::rmdir(folder.c_str()) == 0);
}

base::Result<> remove_cgroup(const std::string& directory) {
  kill_members(directory);
  wait_until_empty(directory);
  for (const auto& cgroup : with_descendants(directory)) {
    if (::rmdir(cgroup.c_str()) != 0 && errno != ENOENT) return base::fail_errno("remove cgroup " + cgroup);
  }
  return {};
}

}  // namespace cli::exec
