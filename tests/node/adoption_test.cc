// What outlives the agent, and what the next one makes of it.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "bpf/abi.h"
#include "cli/commands/cleanup.h"
#include "tests/node/redirected_node.h"

namespace node {
namespace {

using base::UniqueFd;

class Adoption : public RedirectedNode {
 protected:
  // The agent ends, whatever way: it does nothing on purpose.
  void end_agent() { std::optional(std::move(datapath_)).reset(); }
  void start_agent() { datapath_ = need(agent::Datapath::open(node_.options())); }

  // Connects from "app" without an end; its exit code says whether every connect() was good.
  pid_t start_client() {
    return node_.start("app", [] {
      static volatile sig_atomic_t was_told_to_end = 0;
      ::signal(SIGTERM, [](int) { was_told_to_end = 1; });
      while (was_told_to_end == 0) {
        if (connect_plainly(address("127.8.0.1:8080")).error != 0) ::_exit(1);
      }
      ::_exit(0);
    });
  }
  std::string reached_from(const std::string& cgroup) {
    node_.see(cgroup, [&] { return connect_plainly(kService4); });
    return who_was_reached();
  }
};

int attached_programs(const std::string& cgroup, bpf_attach_type type) {
  const UniqueFd fd(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint32_t count = 0;
  ::bpf_prog_query(fd.get(), type, 0, nullptr, nullptr, &count);
  return static_cast<int>(count);
}

TEST_F(Adoption, RedirectionGoesOnWithoutAnAgent) {
  end_agent();
  node_.see("app", [&] { return connect_plainly(kService4); });
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
}

TEST_F(Adoption, TheNextAgentFindsEverything) {
  reached_from("app");
  end_agent();
  start_agent();
  EXPECT_EQ(need(datapath_.workloads()), std::vector{app_});
  EXPECT_EQ(count("-"), 1U);
  EXPECT_EQ(datapath_.map_use().front().entries, 2U);  // destinations
  EXPECT_EQ(reached_from("app"), "proxy");
}

// A client in a loop meets no moment in which it is not redirected.
TEST_F(Adoption, ProgramsAreExchangedWithoutAGap) {
  const pid_t client = start_client();
  for (int round = 0; round < 10; ++round) {
    end_agent();
    for (int taken = 0; taken < 3; ++taken) ASSERT_TRUE(accept_from(proxy4_));
    start_agent();
    need(datapath_.attach_proxy(node_.cgroup("proxy")));
    need(datapath_.set_destinations(std::array{kService4}));
    EXPECT_EQ(need(datapath_.attach_workload(node_.cgroup("app"))), app_);
    need(datapath_.drop_unclaimed());
    while (has_connection(proxy4_)) EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  }
  EXPECT_EQ(node_.stop(client), 0);
  EXPECT_FALSE(has_connection(service4_));
  EXPECT_EQ(count("no_listener") + count("inactive") + count("not_a_service") + count("handoff"), 0U);
  EXPECT_EQ(attached_programs(node_.cgroup("app"), BPF_CGROUP_INET4_CONNECT), 1);
}

TEST_F(Adoption, WhatIsNotClaimedIsDropped) {
  need(datapath_.attach_workload(node_.cgroup("other")));
  end_agent();
  start_agent();
  need(datapath_.attach_proxy(node_.cgroup("proxy")));
  need(datapath_.attach_workload(node_.cgroup("app")));
  need(datapath_.drop_unclaimed());
  EXPECT_EQ(need(datapath_.workloads()), std::vector{app_});
  EXPECT_EQ(reached_from("other"), "service");
  EXPECT_EQ(reached_from("app"), "proxy");
}

// The pins of an agent with another layout go on working until the new ones do.
TEST_F(Adoption, PinsOfAnotherVersionAreReplacedWithoutAGap) {
  namespace fs = std::filesystem;
  const pid_t client = start_client();
  ASSERT_TRUE(accept_from(proxy4_));
  end_agent();
  fs::rename(fs::directory_iterator(node_.pins())->path(), node_.pins() + "/v0");
  start_agent();
  EXPECT_EQ(need(datapath_.workloads()), std::vector<std::uint64_t>());
  need(datapath_.attach_proxy(node_.cgroup("proxy")));
  need(datapath_.register_listener(proxy4_.get()));
  need(datapath_.set_destinations(std::array{kService4}));
  need(datapath_.attach_workload(node_.cgroup("app")));
  need(datapath_.drop_unclaimed());
  EXPECT_FALSE(fs::exists(node_.pins() + "/v0"));
  while (has_connection(proxy4_)) accept_from(proxy4_);
  EXPECT_EQ(record_of(accept_from(proxy4_)), (Record{kService4, app_}));
  EXPECT_EQ(node_.stop(client), 0);
  EXPECT_FALSE(has_connection(service4_));
  EXPECT_EQ(attached_programs(node_.cgroup("app"), BPF_CGROUP_INET4_CONNECT), 1);
}

TEST_F(Adoption, RemoveLeavesNothing) {
  need(datapath_.attach_workload(node_.cgroup("other")));
  end_agent();
  need(agent::Datapath::remove(node_.pins()));
  EXPECT_FALSE(std::filesystem::exists(node_.pins()));
  for (const char* cgroup : {"app", "other", "proxy"}) {
    for (const auto type :
         {BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_RELEASE, BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
          BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_SOCK_OPS, BPF_CGROUP_GETSOCKOPT}) {
      EXPECT_EQ(attached_programs(node_.cgroup(cgroup), type), 0) << cgroup << " " << type;
    }
  }
  EXPECT_EQ(reached_from("app"), "service");
  need(agent::Datapath::remove(node_.pins()));  // nothing is good too
}

// The command has no libbpf: it removes files, and the kernel takes the programs off a moment later.
TEST_F(Adoption, TheCleanupCommandLeavesNothing) {
  end_agent();
  const auto cleaned = cli::clean_up({node_.pins(), ""});
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_FALSE(std::filesystem::exists(node_.pins()));
  const auto deadline = base::now() + kPatience;
  const auto is_attached = [&] { return attached_programs(node_.cgroup("app"), BPF_CGROUP_INET4_CONNECT) > 0; };
  while (is_attached() && base::now() < deadline) ::poll(nullptr, 0, 1);
  EXPECT_FALSE(is_attached());
  EXPECT_EQ(reached_from("app"), "service");
}

TEST_F(Adoption, ADetachedWorkloadIsNotRedirectedAndMayBeAttachedAgain) {
  need(datapath_.detach_workload(app_));
  EXPECT_EQ(reached_from("app"), "service");
  EXPECT_EQ(need(datapath_.workloads()), std::vector<std::uint64_t>());
  need(datapath_.detach_workload(app_));  // once more is good
  EXPECT_EQ(need(datapath_.attach_workload(node_.cgroup("app"))), app_);
  EXPECT_EQ(reached_from("app"), "proxy");
}

TEST_F(Adoption, ACgroupThatIsGoneIsNoWorkloadAnyMore) {
  const std::uint64_t brief = need(datapath_.attach_workload(node_.cgroup("brief")));
  node_.remove_cgroup("brief");
  // The kernel takes its programs off a moment later.
  const auto deadline = base::now() + kPatience;
  while (need(datapath_.workloads()) != std::vector{app_} && base::now() < deadline) ::poll(nullptr, 0, 1);
  EXPECT_EQ(need(datapath_.workloads()), std::vector{app_});
  need(datapath_.detach_workload(brief));
  EXPECT_FALSE(std::filesystem::exists(node_.pins() + "/v" + std::to_string(FAIRLEAD_ABI_VERSION) + "/links/" +
                                       std::to_string(brief)));
}

TEST_F(Adoption, WhatIsNoCgroupIsRefusedByName) {
  const auto missing = datapath_.attach_workload(node_.cgroup("app") + "/missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::not_found);
  const auto folder = datapath_.attach_workload("/tmp");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "/tmp is not a cgroup2 folder");
}

TEST_F(Adoption, PinsGoIntoABpfFileSystemOnly) {
  auto options = node_.options();
  options.pins = "/tmp/fairlead";
  const auto opened = agent::Datapath::open(options);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("mount -t bpf bpf /tmp"), std::string::npos) << opened.error().message;
}

class Destinations : public testing::Test {
 protected:
  static agent::Datapath::Options small_table(Node& node) {
    auto options = node.options();
    options.max_destinations = 2;
    return options;
  }
  Node node_;
  agent::Datapath datapath_ = need(agent::Datapath::open(small_table(node_)));
};

TEST_F(Destinations, WhatDoesNotFitIsReported) {
  const std::array three{address("127.8.0.1:1"), address("127.8.0.2:1"), address("127.8.0.3:1")};
  const auto set = datapath_.set_destinations(three);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, base::Errc::unavailable);
  EXPECT_TRUE(set.error().message.starts_with("1 of 3 destinations do not fit into the kernel's table of 2"))
      << set.error().message;
  EXPECT_EQ(datapath_.map_use().front().entries, 2U);
}

TEST_F(Destinations, NewOnesTakeThePlacesOfOldOnes) {
  need(datapath_.set_destinations(std::array{address("127.8.0.1:1"), address("127.8.0.2:1")}));
  need(datapath_.set_destinations(std::array{address("127.8.0.3:1"), address("[fd00::1]:1")}));
  EXPECT_EQ(datapath_.map_use().front().entries, 2U);
}

TEST_F(Destinations, AnotherTableSizeIsRefusedWithTheWayOut) {
  auto options = node_.options();
  options.max_destinations = 3;
  const auto opened = agent::Datapath::open(options);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("fairlead cleanup"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace node
