// `fairlead exec` as a process, against a stand-in for the agent's admin endpoint.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mounts.h"
#include "cli/process.h"
#include "tests/integration/cli_scripted_server.h"

namespace cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Action json(const std::string& body) {
  return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

struct Ran {
  int exit_code;
  std::string out, err;
};

class Exec : public testing::Test {
 protected:
  void SetUp() override {
    const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
    if (::geteuid() != 0 || !cgroup2) GTEST_SKIP() << "needs root and a cgroup2 hierarchy";
    // A name of its own, so that a real agent on this machine is not concerned.
    workload_ = "exec-test-" + std::to_string(::getpid());
    workload_directory_ = *cgroup2 + "/fairlead/workloads/default." + workload_;
  }
  void TearDown() override { EXPECT_FALSE(std::filesystem::exists(workload_directory_)) << "left behind"; }

  // As the agent sees it: every cgroup of the workload is an instance, in `state`.
  [[nodiscard]] std::string node(const std::string& state) const {
    std::string instances;
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry(workload_directory_, ignored), end; entry != end;
         entry.increment(ignored)) {
      if (!entry->is_directory()) continue;
      const auto name = entry->path().filename().string();
      instances += std::string(instances.empty() ? "" : ",") + R"({"name":")" + name +
                   R"(","cgroup":"/fairlead/workloads/default.)" + workload_ + "/" + name + R"(","state":")" + state +
                   R"("})";
    }
    return R"({"workloads":[{"namespace":"default","name":")" + workload_ + R"(","instances":[)" + instances +
           R"(]}],"services":[{"host":"greeter-service.default.svc.cluster.local","name":"greeter-service","namespace":"default","vips":["127.30.0.1"]}]})";
  }

  Ran exec(const ScriptedServer& server, const std::vector<std::string>& command) {
    std::vector<std::string> arguments{FAIRLEAD_PROGRAM, "exec",    "--admin", server.address().to_string(),
                                       "--as",           workload_, "--"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const auto folder = testing::TempDir();
    const std::string out = folder + "/exec-out-" + workload_;
    const std::string err = folder + "/exec-err-" + workload_;
    const base::UniqueFd out_fd(::open(out.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const base::UniqueFd err_fd(::open(err.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    auto process = Process::start({.arguments = arguments, .stdout_fd = out_fd.get(), .stderr_fd = err_fd.get()});
    const int exit_code = process ? process->wait(base::now() + 30s).value_or(-1) : -1;
    Ran ran{exit_code, read_file(out), read_file(err)};
    ::unlink(out.c_str());
    ::unlink(err.c_str());
    return ran;
  }

  std::string workload_, workload_directory_;
};

TEST_F(Exec, RunsTheCommandInACgroupOfTheWorkload) {
  ScriptedServer agent([this](const Asked&) { return json(node("redirected")); });
  const auto ran = exec(agent, {"cat", "/proc/self/cgroup"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("0::/fairlead/workloads/default." + workload_ + "/exec-"));
}

TEST_F(Exec, ResolvesTheServicesNamesForTheCommandOnly) {
  const auto before = read_file("/etc/hosts");
  ScriptedServer agent([this](const Asked&) { return json(node("redirected")); });
  const auto ran = exec(agent, {"getent", "hosts", "greeter-service.default"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("127.30.0.1"));
  EXPECT_EQ(read_file("/etc/hosts"), before);
}

TEST_F(Exec, PassesTheExitCodeThrough) {
  ScriptedServer agent([this](const Asked&) { return json(node("redirected")); });
  EXPECT_EQ(exec(agent, {"sh", "-c", "exit 42"}).exit_code, 42);
  EXPECT_EQ(exec(agent, {"sh", "-c", "kill -9 $$"}).exit_code, 137);
  EXPECT_EQ(exec(agent, {"/nonexistent"}).exit_code, 127);
  EXPECT_EQ(exec(agent, {"/tmp"}).exit_code, 126);
}

TEST_F(Exec, EndsWhatTheCommandLeavesRunning) {
  ScriptedServer agent([this](const Asked&) { return json(node("redirected")); });
  const auto ran = exec(agent, {"sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  // Gone, or dead and not yet collected by init.
  const auto status = read_file("/proc/" + std::to_string(std::stoi(ran.out)) + "/status");
  EXPECT_TRUE(status.empty() || status.find("State:\tZ") != std::string::npos) << status;
}

TEST_F(Exec, WaitsUntilTheAgentRedirectsTheCgroup) {
  std::atomic<int> asked = 0;
  ScriptedServer agent([&](const Asked&) { return json(node(asked++ < 3 ? "pending" : "redirected")); });
  EXPECT_EQ(exec(agent, {"true"}).exit_code, 0);
  EXPECT_GE(asked, 4);
}

TEST_F(Exec, NamesTheWorkloadsThereAreWhenOneIsUnknown) {
  ScriptedServer agent(
      [](const Asked&) { return json(R"({"workloads":[{"namespace":"default","name":"helloweb","instances":[]}]})"); });
  const auto ran = exec(agent, {"true"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("it knows: default/helloweb"));
}

TEST_F(Exec, SaysHowToStartAnAgentWhenThereIsNone) {
  std::optional<ScriptedServer> agent(std::in_place, [](const Asked&) { return Action{""}; });
  const auto address = agent->address();
  agent.reset();
  auto process = Process::start(
      {.arguments = {FAIRLEAD_PROGRAM, "exec", "--admin", address.to_string(), "--as", "x", "--", "true"}});
  ASSERT_TRUE(process);
  EXPECT_EQ(process->wait(base::now() + 20s), 2);
}

TEST_F(Exec, CleansUpWhenItIsInterruptedWhileWaiting) {
  ScriptedServer agent([this](const Asked&) { return json(node("pending")); });
  auto process = Process::start({.arguments = {FAIRLEAD_PROGRAM, "exec", "--admin", agent.address().to_string(), "--as",
                                               workload_, "--", "true"}});
  ASSERT_TRUE(process);
  const auto deadline = base::now() + 20s;
  while (!std::filesystem::exists(workload_directory_) && base::now() < deadline) ::usleep(1000);
  process->signal(SIGTERM);
  EXPECT_EQ(process->wait(deadline), 2);
}

TEST_F(Exec, PassesATerminationOnToTheCommand) {
  ScriptedServer agent([this](const Asked&) { return json(node("redirected")); });
  const auto mark = testing::TempDir() + "/exec-started-" + workload_;
  auto process = Process::start({.arguments = {FAIRLEAD_PROGRAM, "exec", "--admin", agent.address().to_string(), "--as",
                                               workload_, "--", "sh", "-c", "touch " + mark + "; exec sleep 600"}});
  ASSERT_TRUE(process);
  const auto deadline = base::now() + 20s;
  while (!std::filesystem::exists(mark) && base::now() < deadline) ::usleep(1000);
  process->signal(SIGTERM);
  EXPECT_EQ(process->wait(deadline), 128 + SIGTERM);
  ::unlink(mark.c_str());
}

}  // namespace
}  // namespace cli
