#include "cli/exec/placement.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mounts.h"
#include "base/unique_fd.h"
#include "cli/admin/client.h"
#include "cli/admin/node_view.h"
#include "cli/exec/hosts_file.h"
#include "cli/interrupt.h"

namespace cli::exec {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

base::Result<admin::NodeView> ask(const base::SocketAddress& address) {
  const auto page = admin::fetch(address, "/config_dump");
  if (!page) return tl::unexpected(page.error());
  return admin::parse_node(*page);
}

const admin::WorkloadView* find_workload(const admin::NodeView& node, const std::string& name_space,
                                         const std::string& name) {
  const auto found = std::find_if(node.workloads.begin(), node.workloads.end(), [&](const auto& workload) {
    return workload.name == name && workload.name_space == name_space;
  });
  return found == node.workloads.end() ? nullptr : &*found;
}

tl::unexpected<base::Error> unknown_workload(const admin::NodeView& node, const std::string& name_space,
                                             const std::string& name) {
  std::string known;
  for (const auto& workload : node.workloads) {
    known += (known.empty() ? "" : ", ") + workload.name_space + "/" + workload.name;
  }
  return base::fail(
      base::Errc::not_found,
      "the agent knows no workload " + name_space + "/" + name + " (it knows: " + (known.empty() ? "none" : known) +
          "); write a document of kind Workload whose cgroup is /fairlead/workloads/" + name_space + "." + name + "/*");
}

base::Result<std::string> write_hosts_file(const admin::NodeView& node, const std::string& name_space) {
  std::vector<NamedService> services;
  for (const auto& service : node.services) {
    services.push_back({service.host, service.name, service.name_space, service.vips});
  }
  std::string path = "/tmp/fairlead-hosts-XXXXXX";
  const base::UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return base::fail_errno("create " + path);
  const auto text = hosts_file(read_file("/etc/hosts"), services, name_space);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fchmod(fd.get(), 0644) != 0) {
    const auto failed = base::fail_errno("write " + path);
    ::unlink(path.c_str());
    return failed;
  }
  return path;
}

// Until then the program's first connections would pass untouched.
base::Result<> wait_until_redirected(const base::SocketAddress& address, const std::string& name_space,
                                     const std::string& name, const std::string& cgroup, base::TimePoint deadline) {
  std::string reason = "it does not see the cgroup";
  while (base::now() < deadline) {
    if (interruption() != 0) return base::fail(base::Errc::unavailable, "interrupted");
    const auto node = ask(address);
    if (!node) return tl::unexpected(node.error());
    if (const auto* workload = find_workload(*node, name_space, name)) {
      for (const auto& instance : workload->instances) {
        if (instance.cgroup != cgroup) continue;
        if (instance.state == "redirected") return {};
        reason = instance.state + (instance.reason.empty() ? "" : ": " + instance.reason);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // between two questions, not instead of one
  }
  return base::fail(base::Errc::unavailable, "the agent does not redirect " + cgroup + " (" + reason +
                                                 "); does the Workload document name it, and does the agent run "
                                                 "without --no-bpf?");
}

}  // namespace

base::Result<Placement> Placement::prepare(const base::SocketAddress& address, const std::string& name_space,
                                           const std::string& workload, const std::string& instance,
                                           std::chrono::nanoseconds patience) {
  if (::geteuid() != 0) {
    return base::fail(base::Errc::permission, "only root may create cgroups and mounts; run it with sudo");
  }
  const auto node = ask(address);
  if (!node) return tl::unexpected(node.error());
  if (find_workload(*node, name_space, workload) == nullptr) return unknown_workload(*node, name_space, workload);
  const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
  if (!cgroup2) return base::fail(base::Errc::unavailable, "no cgroup2 hierarchy is mounted; see `fairlead check`");

  auto cgroup = WorkloadCgroup::create(*cgroup2, name_space, workload, instance);
  if (!cgroup) return tl::unexpected(cgroup.error());
  auto hosts = write_hosts_file(*node, name_space);
  if (!hosts) return tl::unexpected(hosts.error());
  Placement placement(std::move(*cgroup), std::move(*hosts));
  const auto deadline = base::now() + patience;
  if (auto ready = wait_until_redirected(address, name_space, workload, placement.cgroup_.path(), deadline); !ready) {
    return tl::unexpected(ready.error());
  }
  return placement;
}

Placement::Placement(Placement&& other) noexcept
    : cgroup_(std::move(other.cgroup_)), hosts_file_(std::exchange(other.hosts_file_, {})) {}

Placement::~Placement() {
  if (!hosts_file_.empty()) ::unlink(hosts_file_.c_str());
}

void Placement::apply_to(ProcessSpec& spec) const {
  spec.cgroup = cgroup_.directory();
  spec.hosts_file = hosts_file_;
}

}  // namespace cli::exec
