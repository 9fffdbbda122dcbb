#include "cli/check/judge.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace cli::check {
namespace {

constexpr int kMinimumMajor = 5;
constexpr int kMinimumMinor = 10;

Finding judge_kernel(const HostFacts& facts) {
  int major = 0;
  int minor = 0;
  const bool is_known = std::sscanf(facts.kernel_release.c_str(), "%d.%d", &major, &minor) == 2;
  const bool is_new_enough = is_known && (major > kMinimumMajor || (major == kMinimumMajor && minor >= kMinimumMinor));
  if (is_new_enough) return {Verdict::good, "kernel", facts.kernel_release, ""};
  return {Verdict::missing, "kernel", facts.kernel_release + " is older than 5.10", "boot a kernel from 5.10 on"};
}

Finding judge_cgroup2(const HostFacts& facts) {
  if (!facts.cgroup2) {
    return {Verdict::missing, "cgroup2", "not mounted",
            "mount -t cgroup2 none /sys/fs/cgroup/unified, or boot with systemd.unified_cgroup_hierarchy=1"};
  }
  if (!facts.cgroup2_is_writable) {
    return {Verdict::missing, "cgroup2", *facts.cgroup2 + " is read-only for this user",
            "run as root; in a container mount the host's /sys/fs/cgroup read-write"};
  }
  return {Verdict::good, "cgroup2", *facts.cgroup2, ""};
}

Finding judge_bpffs(const HostFacts& facts) {
  if (facts.bpffs_is_mounted) return {Verdict::good, "bpffs", "/sys/fs/bpf", ""};
  if (facts.bpffs_can_be_mounted)
    return {Verdict::good, "bpffs", "not mounted; the agent mounts it on /sys/fs/bpf", ""};
  return {Verdict::missing, "bpffs", "not mounted on /sys/fs/bpf", "mount -t bpf bpf /sys/fs/bpf"};
}

Finding judge_capabilities(const HostFacts& facts) {
  std::string missing;
  for (const auto& capability : needed_capabilities()) {
    if ((facts.effective_capabilities >> capability.number & 1U) != 0) continue;
    missing += (missing.empty() ? "no " : ", no ") + capability.name + " (" + capability.why + ")";
  }
  if (missing.empty()) return {Verdict::good, "capabilities", "all that the agent needs", ""};
  return {Verdict::missing, "capabilities", missing, "run as root"};
}

std::string explain_bpf_error(int error) {
  if (error == EPERM || error == EACCES) return "not permitted";
  if (error == ENOSYS) return "the kernel was built without bpf()";
  if (error == EINVAL) return "the kernel does not know it";
  return std::generic_category().message(error);
}

Finding judge_bpf(const HostFacts& facts) {
  std::string failed;
  bool is_permission = false;
  for (const auto& probe : facts.probes) {
    if (probe.error == 0) continue;
    is_permission = is_permission || probe.error == EPERM || probe.error == EACCES;
    failed += (failed.empty() ? "" : ", ") + probe.name + ": " + explain_bpf_error(probe.error);
  }
  if (failed.empty()) {
    return {Verdict::good, "eBPF",
            std::to_string(facts.probes.size()) + " of " + std::to_string(facts.probes.size()) + " features tried work",
            ""};
  }
  return {Verdict::missing, "eBPF", failed,
          is_permission ? "run as root; in a container add CAP_BPF and CAP_NET_ADMIN and allow bpf() in seccomp"
                        : "boot a kernel from 5.10 on with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF"};
}

Finding judge_seccomp(const HostFacts& facts) {
  if (facts.has_seccomp_filters) return {Verdict::good, "seccomp", "filters are available", ""};
  return {Verdict::missing, "seccomp", "the kernel has no filters, so the proxy cannot be confined",
          "boot a kernel with CONFIG_SECCOMP_FILTER"};
}

Finding judge_port(const PortUse& use, bool is_ours) {
  const std::string subject = "port " + std::to_string(use.port);
  if (use.is_free) return {Verdict::good, subject, "free for the " + use.purpose, ""};
  if (is_ours) return {Verdict::good, subject, "in use by the running agent", ""};
  return {
      Verdict::note, subject, "taken by another program; the " + use.purpose + " needs it",
      "stop that program (ss -ltnp sport = :" + std::to_string(use.port) + "), or set another port in the settings"};
}

}  // namespace

std::vector<Finding> judge(const HostFacts& facts) {
  std::vector<Finding> findings{judge_kernel(facts),       judge_cgroup2(facts), judge_bpffs(facts),
                                judge_capabilities(facts), judge_bpf(facts),     judge_seccomp(facts)};
  for (const auto& use : facts.ports) findings.push_back(judge_port(use, facts.is_fairlead_running));
  for (const auto& agent : facts.other_agents) {
    findings.push_back({Verdict::note, agent.name, "also redirects connections (" + agent.evidence + ")",
                        "let each workload be taken by one of the two only"});
  }
  if (facts.other_agents.empty()) findings.push_back({Verdict::good, "other agents", "none found", ""});
  if (facts.is_fairlead_running) {
    findings.push_back({Verdict::good, "fairlead", "is running", ""});
  } else if (facts.has_fairlead_pins) {
    findings.push_back({Verdict::note, "fairlead", "not running, but its programs are still pinned",
                        "start it again (it adopts them), or remove them: fairlead cleanup"});
  } else {
    findings.push_back({Verdict::good, "fairlead", "not running", ""});
  }
  return findings;
}

}  // namespace cli::check
