#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mounts.h"
#include "cli/commands/cleanup.h"
#include "cli/demo/examples.h"
#include "cli/demo/temporary_directory.h"
#include "cli/exec/workload_cgroup.h"
#include "cli/process.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

class Cleanup : public testing::Test {
 protected:
  std::string folder(const std::string& name) {
    fs::create_directories(directory_ / name);
    return directory_ / name;
  }
  void file(const std::string& name, const std::string& text = "") {
    folder(fs::path(name).parent_path());
    ASSERT_TRUE(demo::write_file(directory_ / name, text));
  }

  demo::TemporaryDirectory directory_ = std::move(*demo::TemporaryDirectory::create("fairlead-cleanup"));
};

TEST_F(Cleanup, RemovesEveryPinAndTheirFolders) {
  file("pins/links/7/connect4");
  file("pins/links/7/connect6");
  file("pins/maps/services");
  file("other");
  const auto cleaned = clean_up({directory_ / "pins", ""});
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_EQ(cleaned->pins, 3U);
  EXPECT_FALSE(fs::exists(directory_ / "pins"));
  EXPECT_TRUE(fs::exists(directory_ / "other"));
}

TEST_F(Cleanup, FollowsNoLinkOutOfItsFolder) {
  file("precious");
  folder("pins");
  fs::create_directory_symlink(directory_.path(), directory_ / "pins/link");
  ASSERT_TRUE(clean_up({directory_ / "pins", ""}));
  EXPECT_TRUE(fs::exists(directory_ / "precious"));
  EXPECT_FALSE(fs::exists(directory_ / "pins"));
}

TEST_F(Cleanup, NothingToRemoveIsGood) {
  const auto cleaned = clean_up({directory_ / "absent", directory_ / "absent"});
  ASSERT_TRUE(cleaned);
  EXPECT_EQ(cleaned->pins + cleaned->cgroups, 0U);
}

TEST_F(Cleanup, RemovesCgroupsThatHaveEndedAndLeavesThoseInUse) {
  const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
  if (::geteuid() != 0 || !cgroup2) GTEST_SKIP() << "needs root and a cgroup2 hierarchy";
  const std::string root = *cgroup2 + "/fairlead-cleanup-test-" + std::to_string(::getpid());
  fs::create_directories(root + "/workloads/default.ended/1");
  fs::create_directories(root + "/workloads/default.running/1");
  {
    auto process = Process::start({.arguments = {"sleep", "600"}, .cgroup = root + "/workloads/default.running/1"});
    ASSERT_TRUE(process) << process.error().message;
    const auto cleaned = clean_up({directory_ / "absent", root});
    ASSERT_TRUE(cleaned) << cleaned.error().message;
    EXPECT_EQ(cleaned->cgroups, 2U);
    EXPECT_EQ(cleaned->cgroups_in_use, std::vector<std::string>{root + "/workloads/default.running/1"});
  }
  const auto cleaned = clean_up({directory_ / "absent", root});
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_FALSE(fs::exists(root));
}

TEST_F(Cleanup, FindsAnAgentByItsProgramsName) {
  file("proc/12/comm", "bash\n");
  file("proc/self/comm", "fairlead-agent\n");
  EXPECT_EQ(find_agent(directory_ / "proc"), 0);
  file("proc/34/comm", "fairlead-agent\n");
  EXPECT_EQ(find_agent(directory_ / "proc"), 34);
}

}  // namespace
}  // namespace cli
