#include "agent/pods/cgroup_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Ordinary folders: the kernel tells of both in the same way.
class CgroupTreeTest : public ::testing::Test {
 protected:
  CgroupTreeTest() {
    std::string path = (fs::temp_directory_path() / "fairlead-cgroups-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = path;
  }
  ~CgroupTreeTest() override { fs::remove_all(root_); }
  CgroupTree open() {
    auto opened = CgroupTree::open(root_);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  std::string root_;
};

TEST_F(CgroupTreeTest, ListsFoldersAndNoFiles) {
  fs::create_directories(root_ + "/b/inner");
  fs::create_directories(root_ + "/a");
  std::ofstream(root_ + "/a/cgroup.procs") << "1\n";
  EXPECT_THAT(open().list(), ElementsAre("/a", "/b", "/b/inner"));
}

TEST_F(CgroupTreeTest, TellsOfWhatComesAndGoesAtAnyDepth) {
  fs::create_directories(root_ + "/a/b");
  CgroupTree tree = open();
  EXPECT_THAT(tree.list(), ElementsAre("/a", "/a/b"));
  EXPECT_FALSE(tree.take_changes());
  fs::create_directory(root_ + "/a/b/c");
  EXPECT_TRUE(tree.take_changes());
  EXPECT_FALSE(tree.take_changes());
  EXPECT_THAT(tree.list(), ElementsAre("/a", "/a/b", "/a/b/c"));
  fs::create_directory(root_ + "/a/b/c/d");  // below one that was not there at first
  EXPECT_TRUE(tree.take_changes());
  fs::remove_all(root_ + "/a");
  EXPECT_TRUE(tree.take_changes());
  EXPECT_THAT(tree.list(), IsEmpty());
}

TEST_F(CgroupTreeTest, FilesAreNoChange) {
  fs::create_directory(root_ + "/a");
  CgroupTree tree = open();
  static_cast<void>(tree.list());
  std::ofstream(root_ + "/a/cgroup.events") << "populated 1\n";
  EXPECT_FALSE(tree.take_changes());
}

}  // namespace
}  // namespace agent
