// Files as people, editors and kubelets change them: each change is seen, and what cannot be read takes nothing away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/files/document_files.h"
#include "config/document_store.h"

namespace agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string workload(const std::string& name) {
  return "apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: " + name +
         "}\nspec: {selectors: [{cgroup: /" + name + "}]}\n";
}

class DocumentFilesTest : public ::testing::Test {
 protected:
  DocumentFilesTest() {
    std::string path = (fs::temp_directory_path() / "fairlead-files-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = path;
    folder_ = root_ / "documents";
    fs::create_directory(folder_);
  }
  ~DocumentFilesTest() override { fs::remove_all(root_); }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  void open(const fs::path& path) {
    auto opened = DocumentFiles::open({path});
    ASSERT_TRUE(opened) << opened.error().message;
    files_ = std::move(*opened);
  }
  // Waits for an event that concerns us.
  bool has_changed() {
    pollfd waiting{files_->fd(), POLLIN, 0};
    while (::poll(&waiting, 1, 5000) > 0) {
      if (files_->take_changes()) return true;
    }
    return false;
  }
  bool is_quiet() { return !files_->take_changes(); }
  std::vector<std::string> workloads() {
    store_.update(files_->read());
    std::vector<std::string> names;
    for (const auto& each : store_.documents().workloads) names.push_back(each.metadata.name);
    return names;
  }
  std::string errors() {
    std::string text;
    for (const auto& finding : store_.findings()) text += finding.to_string() + "\n";
    return text;
  }

  fs::path root_, folder_;
  std::optional<DocumentFiles> files_;
  config::DocumentStore store_;
};

TEST_F(DocumentFilesTest, ReadsAFoldersDocumentsInTheOrderOfTheirNames) {
  write(folder_ / "b.yaml", workload("b"));
  write(folder_ / "a.yml", workload("a"));
  write(folder_ / ".hidden.yaml", workload("hidden"));
  write(folder_ / "a.yaml~", workload("backup"));
  fs::create_directory(folder_ / "c.yaml");
  open(folder_);
  EXPECT_THAT(workloads(), ElementsAre("a", "b"));
}

TEST_F(DocumentFilesTest, SeesARenameOverAFileAndANewOne) {
  write(folder_ / "a.yaml", workload("a"));
  open(folder_);
  write(root_ / "new", workload("b"));
  fs::rename(root_ / "new", folder_ / "a.yaml");
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("b"));
  write(folder_ / "c.yaml", workload("c"));
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("b", "c"));
  fs::remove(folder_ / "a.yaml");
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("c"));
}

// As a kubelet does it: a.yaml -> ..data/a.yaml, ..data -> a folder, which is exchanged.
TEST_F(DocumentFilesTest, SeesAConfigMapsLinkTurnedOver) {
  for (const char* const version : {"..1", "..2"}) fs::create_directory(folder_ / version);
  write(folder_ / "..1/a.yaml", workload("first"));
  write(folder_ / "..2/a.yaml", workload("second"));
  fs::create_symlink("..1", folder_ / "..data");
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  for (const fs::path& named : {folder_, folder_ / "a.yaml"}) {
    open(named);
    EXPECT_THAT(workloads(), ElementsAre("first"));
    fs::create_symlink("..2", folder_ / "..data_tmp");
    fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    EXPECT_TRUE(has_changed()) << named;
    EXPECT_THAT(workloads(), ElementsAre("second"));
    fs::remove(folder_ / "..data");
    fs::create_symlink("..1", folder_ / "..data");
  }
}

TEST_F(DocumentFilesTest, SeesAChangeBehindASymbolicLink) {
  write(root_ / "elsewhere", workload("a"));
  fs::create_symlink(root_ / "elsewhere", folder_ / "a.yaml");
  for (const fs::path& named : {folder_, folder_ / "a.yaml"}) {
    open(named);
    write(root_ / "elsewhere", workload("b"));
    EXPECT_TRUE(has_changed()) << named;
  }
}

TEST_F(DocumentFilesTest, FollowsAFolderThatIsPutInThePlaceOfAnother) {
  write(folder_ / "a.yaml", workload("a"));
  open(folder_.string() + "/");
  EXPECT_THAT(workloads(), ElementsAre("a"));
  fs::create_directory(root_ / "next");
  write(root_ / "next/b.yaml", workload("b"));
  fs::rename(folder_, root_ / "last");
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("a")) << "nothing is named to be gone";
  EXPECT_THAT(errors(), HasSubstr("no such file or folder"));
  fs::rename(root_ / "next", folder_);
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("b"));
  EXPECT_THAT(errors(), IsEmpty());
  write(folder_ / "c.yaml", workload("c"));
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ElementsAre("b", "c"));
}

TEST_F(DocumentFilesTest, IsNotConcernedByTheNeighboursOfAFolder) {
  open(folder_);
  write(root_ / "neighbour.yaml", workload("a"));
  EXPECT_TRUE(is_quiet());
}

// An unreadable file neither takes its documents away nor holds up the others.
TEST_F(DocumentFilesTest, KeepsWhatWasInAFileThatCannotBeReadAnyMore) {
  write(folder_ / "a.yaml", workload("a"));
  write(folder_ / "b.yaml", workload("b"));
  open(folder_);
  EXPECT_THAT(workloads(), ElementsAre("a", "b"));
  fs::remove(folder_ / "a.yaml");
  fs::create_symlink("a.yaml", folder_ / "a.yaml");  // ELOOP: also root cannot read it
  write(folder_ / "b.yaml", workload("c"));
  EXPECT_TRUE(has_changed());
  EXPECT_THAT(workloads(), ::testing::UnorderedElementsAre("a", "c"));
  EXPECT_THAT(errors(), HasSubstr("a.yaml: cannot be read: Too many levels of symbolic links"));
}

TEST_F(DocumentFilesTest, RefusesAHugeFileWithoutReadingAllOfIt) {
  write(folder_ / "a.yaml", workload("a"));
  fs::resize_file(folder_ / "a.yaml", std::uintmax_t{1} << 40U);
  open(folder_);
  EXPECT_THAT(workloads(), IsEmpty());
  EXPECT_THAT(errors(), HasSubstr("at most 8388608 are allowed"));
}

TEST_F(DocumentFilesTest, SaysWhatIsNotThere) {
  const auto opened = DocumentFiles::open({folder_ / "absent"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace agent
