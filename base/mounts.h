#pragma once

#include <optional>
#include <string>
#include <string_view>

// What /proc/self/mountinfo says. The first two take its text.
namespace base {

// The mount point of a cgroup2 hierarchy, at or below `folder` unless that is empty. On a hybrid host that is not the
// first cgroup mount; several cgroup2 mounts: the shortest path.
std::optional<std::string> find_cgroup2(std::string_view mountinfo, std::string_view folder = {});
bool has_mount(std::string_view mountinfo, std::string_view mount_point, std::string_view file_system);

// The source of the bpf file system that the agent mounts on a host that has none: it goes with the last of what we
// pinned, the host's own stays.
inline constexpr const char* kOwnMountSource = "fairlead";
bool is_own_mount(std::string_view mountinfo, std::string_view mount_point);
// Unmounts such a file system if there is nothing left in it; what others have pinned keeps it.
void unmount_own(const std::string& mount_point);

// Of this process; empty when /proc is not there.
std::string read_mountinfo();

}  // namespace base
