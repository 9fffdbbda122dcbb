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

// Of this process; empty when /proc is not there.
std::string read_mountinfo();

}  // namespace base
