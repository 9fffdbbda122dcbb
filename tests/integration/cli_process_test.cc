#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/process.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

int run_to_end(const ProcessSpec& spec) {
  auto process = Process::start(spec);
  if (!process) {
    ADD_FAILURE() << process.error().message;
    return -1;
  }
  return process->wait(base::now() + 20s).value_or(-1);
}

TEST(Process, PassesTheExitCodeOn) {
  EXPECT_EQ(run_to_end({.arguments = {"sh", "-c", "exit 0"}}), 0);
  EXPECT_EQ(run_to_end({.arguments = {"sh", "-c", "exit 7"}}), 7);
  EXPECT_EQ(run_to_end({.arguments = {"sh", "-c", "kill -9 $$"}}), 128 + SIGKILL);
}

TEST(Process, SaysWhatCannotBeStarted) {
  const auto absent = Process::start({.arguments = {"/nonexistent/program"}});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, base::Errc::not_found);
  EXPECT_EQ(absent.error().message, "start /nonexistent/program: No such file or directory");
  const auto folder = Process::start({.arguments = {"/tmp"}});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, base::Errc::permission);
}

TEST(Process, HasItsOwnEnvironmentAndOutput) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  EXPECT_EQ(run_to_end({.arguments = {"sh", "-c", "echo $GREETING"},
                        .environment = {{"GREETING", "hello"}},
                        .stdout_fd = writing.get()}),
            0);
  writing.reset();
  char text[64];
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(::read(reading.get(), text, sizeof text))), "hello\n");
}

TEST(Process, StopEndsWhatDoesNotListen) {
  auto process =
      Process::start({.arguments = {"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, .is_own_group = true});
  ASSERT_TRUE(process);
  EXPECT_TRUE(process->is_running());
  EXPECT_EQ(process->wait(base::now() + 50ms), std::nullopt);
  process->stop(50ms);
  EXPECT_FALSE(process->is_running());
  EXPECT_EQ(process->wait(base::now()), 128 + SIGKILL);
}

TEST(Process, TheDestructorLeavesNothingBehind) {
  pid_t pid = 0;
  {
    auto process = Process::start({.arguments = {"sleep", "600"}});
    ASSERT_TRUE(process);
    pid = process->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Process, AnUnreadableCgroupIsAnErrorBeforeTheProgramRuns) {
  const auto process = Process::start({.arguments = {"true"}, .cgroup = "/nonexistent"});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().message, "enter cgroup /nonexistent: No such file or directory");
}

}  // namespace
}  // namespace cli
