#include "base/mounts.h"

#include <gtest/gtest.h>

namespace base {
namespace {

constexpr std::string_view kHybrid =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:1 master:2 - cgroup cgroup rw,cpu\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    "50 31 0:40 / /run/calico/cgroup/deep/inside rw - cgroup2 none rw\n";

TEST(FindCgroup2, TakesTheCgroup2MountOfAHybridHost) { EXPECT_EQ(find_cgroup2(kHybrid), "/sys/fs/cgroup/unified"); }

TEST(FindCgroup2, IsNothingWithoutOne) {
  EXPECT_EQ(find_cgroup2("31 23 0:28 / /sys/fs/cgroup rw - tmpfs cgroup2 rw\n"), std::nullopt);
  EXPECT_EQ(find_cgroup2(""), std::nullopt);
}

TEST(HasMount, ComparesPointAndFileSystem) {
  EXPECT_TRUE(has_mount(kHybrid, "/sys/fs/cgroup/unified", "cgroup2"));
  EXPECT_FALSE(has_mount(kHybrid, "/sys/fs/cgroup/unified", "cgroup"));
  EXPECT_FALSE(has_mount(kHybrid, "/sys/fs/bpf", "bpf"));
}

TEST(IsOwnMount, TellsOurBpfFileSystemFromTheHosts) {
  const std::string hosts = "60 23 0:50 / /sys/fs/bpf rw,nosuid - bpf bpf rw,mode=700\n";
  const std::string ours = "61 23 0:51 / /sys/fs/bpf rw,nosuid - bpf fairlead rw,mode=700\n";
  EXPECT_TRUE(is_own_mount(ours, "/sys/fs/bpf"));
  EXPECT_FALSE(is_own_mount(hosts, "/sys/fs/bpf"));
  EXPECT_FALSE(is_own_mount(ours, "/sys/fs/cgroup"));
  EXPECT_FALSE(is_own_mount(ours + hosts, "/sys/fs/bpf")) << "the one on top counts";
  EXPECT_FALSE(is_own_mount("61 23 0:51 / /sys/fs/bpf rw - tmpfs fairlead rw\n", "/sys/fs/bpf"));
}

}  // namespace
}  // namespace base
