#include "agent/datapath/cgroup_links.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "agent/datapath/pins.h"
#include "base/unique_fd.h"

namespace agent::cgroup_links {
namespace {

using base::UniqueFd;

constexpr std::size_t kMostPrograms = 64;  // the kernel's limit for one hook of a cgroup

std::string pin_of(const Hook& hook, const std::string& folder) { return folder + "/" + hook.program; }

UniqueFd open_link(const std::string& pin) { return UniqueFd(::bpf_obj_get(pin.c_str())); }

// 0: none any more.
std::uint64_t cgroup_of(const UniqueFd& link) {
  bpf_link_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 ? info.cgroup.cgroup_id : 0;
}

// Removing a pin detaches too, but later; this is over when it returns.
base::Result<> detach_one(const std::string& pin) {
  if (const UniqueFd link = open_link(pin)) (void)::bpf_link_detach(link.get());  // fails when the cgroup is gone
  return pins::remove(pin);
}

tl::unexpected<base::Error> attach_error(const Hook& hook, int error) {
  const std::string what = std::string("attach ") + hook.program + " to the cgroup";
  if (error == EPERM) {
    return base::fail(base::Errc::permission,
                      what +
                          ": not permitted; needs root (CAP_BPF and CAP_NET_ADMIN), and no program that another "
                          "agent attached to it or above as the only one");
  }
  return base::fail_errno(what, error);
}

base::Result<> attach_one(const Hook& hook, const bpf_object* object, Cgroup cgroup, const std::string& pin,
                          bool& is_new) {
  const int program = ::bpf_program__fd(::bpf_object__find_program_by_name(object, hook.program));
  if (const UniqueFd link = open_link(pin); link && cgroup_of(link) == cgroup.id) {
    if (::bpf_link_update(link.get(), program, nullptr) == 0) return {};
  }
  const UniqueFd link(::bpf_link_create(program, cgroup.fd, hook.type, nullptr));
  if (!link) return attach_error(hook, errno);
  if (auto removed = detach_one(pin); !removed) return removed;
  if (::bpf_obj_pin(link.get(), pin.c_str()) != 0) return base::fail_errno("pin " + pin);
  is_new = true;
  return {};
}

}  // namespace

base::Result<> attach(std::span<const Hook> hooks, const bpf_object* object, Cgroup cgroup, const std::string& folder) {
  if (auto made = pins::make_folder(folder); !made) return made;
  std::vector<Hook> added;
  for (const Hook& hook : hooks) {
    bool is_new = false;
    if (auto attached = attach_one(hook, object, cgroup, pin_of(hook, folder), is_new); !attached) {
      std::reverse(added.begin(), added.end());
      (void)detach(added, folder);  // the first error says more
      return attached;
    }
    if (is_new) added.push_back(hook);
  }
  return {};
}

base::Result<> detach(std::span<const Hook> hooks, const std::string& folder) {
  for (const Hook& hook : hooks) {
    if (auto detached = detach_one(pin_of(hook, folder)); !detached) return detached;
  }
  if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY) {
    return base::fail_errno("remove " + folder);
  }
  return {};
}

bool is_attached(const Hook& hook, const bpf_object* object, int cgroup) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  const int program = ::bpf_program__fd(::bpf_object__find_program_by_name(object, hook.program));
  if (::bpf_obj_get_info_by_fd(program, &info, &size) != 0) return false;
  std::array<std::uint32_t, kMostPrograms> ids{};
  std::uint32_t count = ids.size();
  if (::bpf_prog_query(cgroup, hook.type, 0, nullptr, ids.data(), &count) != 0) return false;
  return std::find(ids.begin(), ids.begin() + count, info.id) != ids.begin() + count;
}

bool is_cgroup_gone(std::span<const Hook> hooks, const std::string& folder) {
  return std::any_of(hooks.begin(), hooks.end(), [&](const Hook& hook) {
    const UniqueFd link = open_link(pin_of(hook, folder));
    return link && cgroup_of(link) == 0;
  });
}

}  // namespace agent::cgroup_links
