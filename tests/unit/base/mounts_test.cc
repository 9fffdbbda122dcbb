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

}  // namespace
}  // namespace base
