#include "base/mounts.h"

#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace base {
namespace {

struct MountLine {
  std::string_view mount_point, file_system, source;
};

// "36 35 98:0 /root /mount/point options - type source ...": the fifth word, and those after the lone dash.
MountLine read_mount_line(std::string_view line) {
  MountLine mount;
  bool is_after_dash = false;
  for (int word = 0; !line.empty(); ++word) {
    const auto end = std::min(line.find(' '), line.size());
    const auto text = line.substr(0, end);
    if (word == 4) mount.mount_point = text;
    if (is_after_dash && !mount.file_system.empty()) {
      mount.source = text;
      break;
    }
    if (is_after_dash) mount.file_system = text;
    is_after_dash = is_after_dash || (word > 5 && text == "-");
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return mount;
}

template <typename Visit>
void for_each_mount(std::string_view mountinfo, Visit visit) {
  while (!mountinfo.empty()) {
    const auto end = std::min(mountinfo.find('\n'), mountinfo.size());
    visit(read_mount_line(mountinfo.substr(0, end)));
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
  }
}

}  // namespace

std::optional<std::string> find_cgroup2(std::string_view mountinfo, std::string_view folder) {
  std::optional<std::string> found;
  const std::string below = std::string(folder) + "/";
  for_each_mount(mountinfo, [&](const MountLine& mount) {
    if (mount.file_system != "cgroup2") return;
    if (!folder.empty() && mount.mount_point != folder && !mount.mount_point.starts_with(below)) return;
    if (!found || mount.mount_point.size() < found->size()) found = std::string(mount.mount_point);
  });
  return found;
}

bool has_mount(std::string_view mountinfo, std::string_view mount_point, std::string_view file_system) {
  bool found = false;
  for_each_mount(mountinfo, [&](const MountLine& mount) {
    found = found || (mount.mount_point == mount_point && mount.file_system == file_system);
  });
  return found;
}

bool is_own_mount(std::string_view mountinfo, std::string_view mount_point) {
  bool is_own = false;  // the last one counts: it lies over the others
  for_each_mount(mountinfo, [&](const MountLine& mount) {
    if (mount.mount_point == mount_point) is_own = mount.file_system == "bpf" && mount.source == kOwnMountSource;
  });
  return is_own;
}

void unmount_own(const std::string& mount_point) {
  if (!is_own_mount(read_mountinfo(), mount_point)) return;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(mount_point, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name != "maps.debug" && name != "progs.debug") return;  // the kernel's own
  }
  ::umount2(mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);  // whoever has its folder open may go on
}

std::string read_mountinfo() {
  std::ifstream file("/proc/self/mountinfo");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace base
