#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// What `fairlead check` looks at, apart from what it thinks of it.
namespace cli::check {

// A capability the agent needs, by its number in linux/capability.h.
struct Capability {
  std::string name;
  int number = 0;
  std::string why;
};
const std::vector<Capability>& needed_capabilities();

// One kernel feature that was tried out, not looked up.
struct Probe {
  std::string name;
  int error = 0;  // errno of the attempt; 0: works
};

// Another program that also takes connections over.
struct OtherAgent {
  std::string name;
  std::string evidence;  // the file, or the program attached in the kernel
};

struct PortUse {
  std::uint16_t port = 0;
  std::string purpose;
  bool is_free = true;
};

// Where this machine shows itself: in a container it does so by hostPaths.
struct HostPlaces {
  std::string cgroup2;           // the hierarchy is mounted there or below; empty: what /proc/self/mountinfo says
  std::string root;              // before the paths by which other agents are known
  bool has_own_network = false;  // we are in a pod: which ports are taken here says nothing
};

struct HostFacts {
  std::string kernel_release;          // uname -r
  std::optional<std::string> cgroup2;  // mount point
  bool cgroup2_is_writable = false;
  bool bpffs_is_mounted = false;
  bool bpffs_can_be_mounted = false;  // by the agent: its folder is there and empty
  std::uint64_t effective_capabilities = 0;
  std::vector<Probe> probes;  // bpf(): maps, each program type, attach points
  bool has_seccomp_filters = false;
  std::vector<PortUse> ports;
  std::vector<OtherAgent> other_agents;
  bool is_fairlead_running = false;  // its admin endpoint answers
  bool has_fairlead_pins = false;
};

// Looks at this machine. Needs no privilege; what it may not see counts as missing.
HostFacts gather_host_facts(const HostPlaces& places = {});

}  // namespace cli::check
