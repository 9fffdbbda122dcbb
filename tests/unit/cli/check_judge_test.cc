#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/check/judge.h"

namespace cli::check {
namespace {

using testing::HasSubstr;

HostFacts good_host() {
  HostFacts facts;
  facts.kernel_release = "6.1.0-28-amd64";
  facts.cgroup2 = "/sys/fs/cgroup";
  facts.cgroup2_is_writable = true;
  facts.bpffs_is_mounted = true;
  facts.effective_capabilities = ~std::uint64_t{0};
  facts.probes = {{"maps", 0}, {"connect4", 0}};
  facts.has_seccomp_filters = true;
  facts.ports = {{15001, "listener", true}, {15020, "admin endpoint", true}};
  return facts;
}

const Finding& of(const std::vector<Finding>& findings, std::string_view subject) {
  for (const auto& finding : findings) {
    if (finding.subject == subject) return finding;
  }
  ADD_FAILURE() << "nothing said about " << subject;
  return findings.front();
}

TEST(Judge, FindsNothingWrongOnAGoodHost) {
  for (const auto& finding : judge(good_host())) {
    EXPECT_EQ(finding.verdict, Verdict::good) << finding.subject << ": " << finding.detail;
    EXPECT_EQ(finding.remedy, "") << finding.subject;
  }
}

TEST(Judge, SaysWhatIsMissingAndWhatToDo) {
  struct Case {
    std::string subject, detail, remedy;
    void (*spoil)(HostFacts&);
  };
  const std::vector<Case> cases{
      {"kernel", "older than 5.10", "boot a kernel", [](HostFacts& f) { f.kernel_release = "5.9.16"; }},
      {"kernel", "older than 5.10", "boot a kernel", [](HostFacts& f) { f.kernel_release = "4.19.0"; }},
      {"cgroup2", "not mounted", "mount -t cgroup2", [](HostFacts& f) { f.cgroup2.reset(); }},
      {"cgroup2", "read-only", "run as root", [](HostFacts& f) { f.cgroup2_is_writable = false; }},
      {"bpffs", "not mounted", "mount -t bpf", [](HostFacts& f) { f.bpffs_is_mounted = false; }},
      {"capabilities", "CAP_BPF (to load", "run as root", [](HostFacts& f) { f.effective_capabilities = 0; }},
      {"eBPF", "connect4: not permitted", "run as root", [](HostFacts& f) { f.probes[1].error = EPERM; }},
      {"eBPF", "maps: the kernel was built", "CONFIG_BPF_SYSCALL", [](HostFacts& f) { f.probes[0].error = ENOSYS; }},
      {"seccomp", "no filters", "CONFIG_SECCOMP_FILTER", [](HostFacts& f) { f.has_seccomp_filters = false; }},
  };
  for (const auto& expected : cases) {
    auto facts = good_host();
    expected.spoil(facts);
    const auto findings = judge(facts);
    const auto& finding = of(findings, expected.subject);
    EXPECT_EQ(finding.verdict, Verdict::missing) << expected.subject;
    EXPECT_THAT(finding.detail, HasSubstr(expected.detail));
    EXPECT_THAT(finding.remedy, HasSubstr(expected.remedy));
  }
}

TEST(Judge, AMachineWhereTheAgentCanMountABpfFileSystemLacksNothing) {
  auto facts = good_host();
  facts.bpffs_is_mounted = false;
  facts.bpffs_can_be_mounted = true;
  const auto findings = judge(facts);
  EXPECT_EQ(of(findings, "bpffs").verdict, Verdict::good);
  EXPECT_THAT(of(findings, "bpffs").detail, HasSubstr("the agent mounts it"));
}

TEST(Judge, NamesOnlyTheCapabilitiesThatAreMissing) {
  auto facts = good_host();
  facts.effective_capabilities = ~std::uint64_t{0} & ~(std::uint64_t{1} << 12);  // CAP_NET_ADMIN
  const auto findings = judge(facts);
  EXPECT_EQ(of(findings, "capabilities").detail, "no CAP_NET_ADMIN (to attach them)");
}

TEST(Judge, TakenPortsAndOtherAgentsAreNotes) {
  auto facts = good_host();
  facts.ports[0].is_free = false;
  facts.other_agents = {{"Cilium", "/sys/fs/bpf/cilium"}};
  const auto findings = judge(facts);
  EXPECT_EQ(of(findings, "port 15001").verdict, Verdict::note);
  EXPECT_THAT(of(findings, "port 15001").remedy, HasSubstr("ss -ltnp"));
  EXPECT_EQ(of(findings, "Cilium").verdict, Verdict::note);
}

TEST(Judge, ARunningAgentMayHoldItsPorts) {
  auto facts = good_host();
  facts.ports[0].is_free = false;
  facts.is_fairlead_running = true;
  const auto findings = judge(facts);
  EXPECT_EQ(of(findings, "port 15001").verdict, Verdict::good);
  EXPECT_EQ(of(findings, "fairlead").detail, "is running");
}

TEST(Judge, PinsWithoutAnAgentAreANote) {
  auto facts = good_host();
  facts.has_fairlead_pins = true;
  const auto findings = judge(facts);
  EXPECT_EQ(of(findings, "fairlead").verdict, Verdict::note);
  EXPECT_THAT(of(findings, "fairlead").remedy, HasSubstr("fairlead cleanup"));
}

}  // namespace
}  // namespace cli::check
