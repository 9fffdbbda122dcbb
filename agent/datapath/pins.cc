#include "agent/datapath/pins.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/mounts.h"

namespace agent::pins {

namespace fs = std::filesystem;

base::Result<> prepare(const std::string& folder) {
  const std::string parent = fs::path(folder).parent_path();
  struct statfs file_system{};
  if (::statfs(parent.c_str(), &file_system) != 0) return base::fail_errno("look at " + parent);
  if (file_system.f_type != BPF_FS_MAGIC) {
    std::error_code error;
    if (!fs::is_empty(parent, error) || error) {
      return base::fail(base::Errc::invalid,
                        parent + " is not a bpf file system; mount one: mount -t bpf bpf " + parent);
    }
    if (::mount(base::kOwnMountSource, parent.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
      return base::fail_errno("mount a bpf file system on " + parent + " (run it as root)");
    }
  }
  return make_folder(folder);
}

base::Result<> make_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return base::fail_errno("create " + folder);
  return {};
}

base::Result<base::UniqueFd> claim(const std::string& folder) {
  base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + folder);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return base::fail_errno("lock " + folder);
  return base::fail(base::Errc::unavailable,
                    "another agent redirects connections here (it holds " + folder +
                        "); one agent serves a host: stop it first, or use --no-bpf for a trial beside it");
}

std::vector<std::string> list(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  return names;
}

base::Result<> remove(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(fs::symlink_status(path, error))) {
    for (const std::string& name : list(path)) {
      if (auto removed = remove((fs::path(path) / name).string()); !removed) return removed;
    }
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return base::fail_errno("remove " + path);
  } else if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return base::fail_errno("remove " + path);
  }
  return {};
}

}  // namespace agent::pins
