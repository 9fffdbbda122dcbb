#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

// Programs attached to one cgroup: one link each, pinned in a folder under the program's name.
namespace agent::cgroup_links {

struct Hook {
  const char* program;
  bpf_attach_type type;
};

struct Cgroup {
  int fd = -1;
  std::uint64_t id = 0;
};

// In the order of `hooks`. A link that is pinned for this cgroup already gets the program of `object` in one step; one
// for another cgroup is replaced. When a hook fails, those that were added by this call are taken back.
base::Result<> attach(std::span<const Hook> hooks, const bpf_object* object, Cgroup cgroup, const std::string& folder);

// In the order of `hooks`: when this returns, none of the programs runs any more. Good when there is nothing.
base::Result<> detach(std::span<const Hook> hooks, const std::string& folder);

// Asks the kernel which programs the cgroup has.
bool is_attached(const Hook& hook, const bpf_object* object, int cgroup);

// The kernel takes the programs off a cgroup that is removed; the pins stay.
bool is_cgroup_gone(std::span<const Hook> hooks, const std::string& folder);

}  // namespace agent::cgroup_links
