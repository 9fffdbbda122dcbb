// `fairlead demo` as a process: how it ends when it is not let finish.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/process.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

class Demo : public testing::Test {
 protected:
  Demo() {
    std::string path = (fs::temp_directory_path() / "fairlead-demo-test-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    reader_.reset(ends[0]);
    base::UniqueFd writer(ends[1]);
    const base::UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto started = Process::start({.arguments = {FAIRLEAD_PROGRAM, "demo", "--no-bpf"},
                                   .environment = {{"TMPDIR", folder_}},
                                   .stdin_fd = in.get(),
                                   .stdout_fd = writer.get(),
                                   .ends_with_us = true});
    if (!started) throw std::runtime_error(started.error().message);
    demo_ = std::move(*started);
  }
  ~Demo() override { fs::remove_all(folder_); }

  void read_something() const {
    std::array<char, 256> chunk{};
    ASSERT_GT(::read(reader_.get(), chunk.data(), chunk.size()), 0);
  }
  std::optional<int> exit_code() { return demo_.wait(base::now() + std::chrono::seconds(20)); }

  std::string folder_;
  base::UniqueFd reader_;
  Process demo_;
};

// `fairlead demo | head`
TEST_F(Demo, LeavesNothingWhenNobodyReadsItsOutput) {
  read_something();
  reader_.reset();
  EXPECT_EQ(exit_code(), 128 + SIGPIPE);
  EXPECT_TRUE(fs::is_empty(folder_)) << fs::directory_iterator(folder_)->path();
}

TEST_F(Demo, LeavesNothingWhenItIsInterrupted) {
  read_something();
  demo_.signal(SIGTERM);
  EXPECT_EQ(exit_code(), 128 + SIGTERM);
  EXPECT_TRUE(fs::is_empty(folder_)) << fs::directory_iterator(folder_)->path();
}

}  // namespace
}  // namespace cli
