#include "cli/check/host_facts.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/mounts.h"
#include "base/unique_fd.h"
#include "cli/http/client.h"

namespace cli::check {
namespace {

constexpr std::uint16_t kListenerPort = 15001;
constexpr std::uint16_t kAdminPort = 15020;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

int try_map() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_HASH;
  attributes.key_size = 8;
  attributes.value_size = 8;
  attributes.max_entries = 1;
  const base::UniqueFd fd(bpf(BPF_MAP_CREATE, attributes));
  return fd ? 0 : errno;
}

// Loads the smallest program of a type: "return 1", which every cgroup hook reads as "let it pass".
int try_program(bpf_prog_type type, bpf_attach_type attach_type) {
  std::array<bpf_insn, 2> code{};
  code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  code[0].imm = 1;
  code[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr attributes{};
  attributes.prog_type = type;
  attributes.expected_attach_type = attach_type;
  attributes.insns = reinterpret_cast<std::uint64_t>(code.data());
  attributes.insn_cnt = code.size();
  attributes.license = reinterpret_cast<std::uint64_t>("Dual BSD/GPL");
  const base::UniqueFd fd(bpf(BPF_PROG_LOAD, attributes));
  return fd ? 0 : errno;
}

base::UniqueFd open_cgroup(const std::optional<std::string>& cgroup2) {
  return base::UniqueFd(cgroup2 ? ::open(cgroup2->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
}

// Ids of the programs attached to a cgroup; the kernel without CONFIG_CGROUP_BPF answers EINVAL.
base::Result<std::vector<std::uint32_t>> attached_programs(int cgroup, bpf_attach_type type) {
  std::vector<std::uint32_t> ids(64);
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.query.attach_type = type;
  attributes.query.prog_ids = reinterpret_cast<std::uint64_t>(ids.data());
  attributes.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
  if (bpf(BPF_PROG_QUERY, attributes) != 0) return base::fail_errno("query attached programs");
  ids.resize(attributes.query.prog_cnt);
  return ids;
}

int try_query(int cgroup) {
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.query.attach_type = BPF_CGROUP_INET4_CONNECT;
  return bpf(BPF_PROG_QUERY, attributes) == 0 ? 0 : errno;
}

std::string program_name(std::uint32_t id) {
  bpf_attr attributes{};
  attributes.prog_id = id;
  const base::UniqueFd fd(bpf(BPF_PROG_GET_FD_BY_ID, attributes));
  if (!fd) return {};
  bpf_prog_info info{};
  bpf_attr query{};
  query.info.bpf_fd = static_cast<std::uint32_t>(fd.get());
  query.info.info_len = sizeof info;
  query.info.info = reinterpret_cast<std::uint64_t>(&info);
  return bpf(BPF_OBJ_GET_INFO_BY_FD, query) == 0 ? std::string(info.name) : std::string();
}

std::vector<Probe> try_features(const std::optional<std::string>& cgroup2) {
  std::vector<Probe> probes{
      {"maps", try_map()},
      {"sock_create", try_program(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE)},
      {"sock_release", try_program(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE)},
      {"connect4", try_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT)},
      {"connect6", try_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT)},
      {"getpeername4", try_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETPEERNAME)},
      {"getpeername6", try_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME)},
      {"sockops", try_program(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS)},
      {"getsockopt", try_program(BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT)},
  };
  if (const auto cgroup = open_cgroup(cgroup2)) {
    probes.push_back({"attaching to cgroups", try_query(cgroup.get())});
  }
  return probes;
}

std::vector<OtherAgent> find_other_agents(const std::optional<std::string>& cgroup2, const std::string& root) {
  struct Trace {
    std::string_view name, path;
  };
  static constexpr std::array<Trace, 7> kTraces{{
      {"Cilium", "/sys/fs/bpf/cilium"},
      {"Cilium", "/var/run/cilium/cilium.sock"},
      {"Istio CNI", "/etc/cni/net.d/istio-cni.conf"},
      {"Istio CNI", "/var/run/istio-cni"},
      {"Istio ambient", "/var/run/ztunnel"},
      {"Linkerd CNI", "/etc/cni/net.d/01-linkerd-cni.conf"},
      {"Kuma", "/etc/cni/net.d/kuma-cni.conf"},
  }};
  std::vector<OtherAgent> found;
  for (const auto& trace : kTraces) {
    std::error_code ignored;
    const bool is_known = !found.empty() && found.back().name == trace.name;
    if (!is_known && std::filesystem::exists(root + std::string(trace.path), ignored)) {
      found.push_back({std::string(trace.name), std::string(trace.path)});
    }
  }
  // Fairlead attaches to the cgroups of workloads, never to the root: what is there belongs to somebody else.
  const auto cgroup = open_cgroup(cgroup2);
  if (!cgroup) return found;
  if (const auto programs = attached_programs(cgroup.get(), BPF_CGROUP_INET4_CONNECT)) {
    for (const auto id : *programs) {
      const auto name = program_name(id);
      found.push_back({name.starts_with("cil_") ? "Cilium" : "eBPF program",
                       "connect4 of the root cgroup: " + (name.empty() ? "program " + std::to_string(id) : name)});
    }
  }
  return found;
}

bool is_port_free(std::uint16_t port) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno != EADDRINUSE;
}

bool is_fairlead_running() {
  const auto admin = base::SocketAddress::parse("127.0.0.1:" + std::to_string(kAdminPort));
  const auto metrics = http::get({.address = *admin, .target = "/metrics", .timeout = std::chrono::seconds(1)});
  return metrics && metrics->body.find("fairlead_build_info") != std::string::npos;
}

std::uint64_t effective_capabilities() {
  const auto status = read_file("/proc/self/status");
  const auto line = status.find("CapEff:");
  return line == std::string::npos ? 0 : std::strtoull(status.c_str() + line + 7, nullptr, 16);
}

}  // namespace

const std::vector<Capability>& needed_capabilities() {
  static const std::vector<Capability> kNeeded{
      {"CAP_BPF", CAP_BPF, "to load programs"},
      {"CAP_NET_ADMIN", CAP_NET_ADMIN, "to attach them"},
      {"CAP_SYS_ADMIN", CAP_SYS_ADMIN, "to enter network namespaces"},
      {"CAP_SYS_PTRACE", CAP_SYS_PTRACE, "to find a workload's network namespace"},
  };
  return kNeeded;
}

HostFacts gather_host_facts(const HostPlaces& places) {
  HostFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.kernel_release = name.release;
  const auto mounts = base::read_mountinfo();
  facts.cgroup2 = base::find_cgroup2(mounts, places.cgroup2);
  facts.cgroup2_is_writable = facts.cgroup2 && ::access(facts.cgroup2->c_str(), W_OK) == 0;
  facts.bpffs_is_mounted = base::has_mount(mounts, "/sys/fs/bpf", "bpf");
  std::error_code no_folder;
  facts.bpffs_can_be_mounted = std::filesystem::is_empty("/sys/fs/bpf", no_folder) && !no_folder;
  facts.effective_capabilities = effective_capabilities();
  facts.probes = try_features(facts.cgroup2);
  facts.has_seccomp_filters = read_file("/proc/self/status").find("Seccomp_filters:") != std::string::npos;
  if (!places.has_own_network) {
    facts.ports = {{kListenerPort, "listener of redirected connections", is_port_free(kListenerPort)},
                   {kAdminPort, "admin and metrics endpoint", is_port_free(kAdminPort)}};
    facts.is_fairlead_running = is_fairlead_running();
  }
  facts.other_agents = find_other_agents(facts.cgroup2, places.root);
  std::error_code ignored;
  facts.has_fairlead_pins = std::filesystem::exists("/sys/fs/bpf/fairlead", ignored);
  return facts;
}

}  // namespace cli::check
