#include "agent/datapath/datapath.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <poll.h>
#include <redirect.skel.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "agent/datapath/cgroup_links.h"
#include "agent/datapath/pins.h"
#include "base/clock.h"
#include "base/mounts.h"
#include "base/unique_fd.h"
#include "bpf/abi.h"

namespace agent {
namespace {

using base::Errc;
using base::Result;
using base::SocketAddress;
using base::UniqueFd;
using cgroup_links::Hook;

// What looks at redirected connections comes before what redirects them, and goes after it.
constexpr std::array kCallerHooks{
    Hook{"create", BPF_CGROUP_INET_SOCK_CREATE},        Hook{"getpeername4", BPF_CGROUP_INET4_GETPEERNAME},
    Hook{"getpeername6", BPF_CGROUP_INET6_GETPEERNAME}, Hook{"release", BPF_CGROUP_INET_SOCK_RELEASE},
    Hook{"caller_events", BPF_CGROUP_SOCK_OPS},         Hook{"connect4", BPF_CGROUP_INET4_CONNECT},
    Hook{"connect6", BPF_CGROUP_INET6_CONNECT},
};
constexpr std::array kProxyHooks{
    Hook{"getsockopt", BPF_CGROUP_GETSOCKOPT},
    Hook{"accept_events", BPF_CGROUP_SOCK_OPS},
};

struct VerdictName {
  std::string_view verdict, reason;
};
// By fairlead_counter.
constexpr std::array<VerdictName, FAIRLEAD_COUNTERS> kVerdictNames{{
    {"redirected", "-"},
    {"passed", "not_tcp"},
    {"passed", "not_a_service"},
    {"passed", "inactive"},
    {"passed", "excluded"},
    {"passed", "mptcp"},
    {"passed", "bound_to_device"},
    {"passed", "no_listener"},
    {"passed", "map_full"},
    {"passed", "no_memory"},
    {"lost", "handoff"},
}};

struct DestroySkeleton {
  void operator()(redirect_programs* skeleton) const { redirect_programs::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<redirect_programs, DestroySkeleton>;

// The first warning of libbpf says why; what follows are consequences.
thread_local std::string first_warning;

__attribute__((format(printf, 2, 0))) int keep_first_warning(libbpf_print_level level, const char* format,
                                                             va_list arguments) {
  if (level != LIBBPF_WARN || !first_warning.empty()) return 0;
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  first_warning.assign(line, std::strcspn(line, "\n"));
  return 0;
}

tl::unexpected<base::Error> load_error(const std::string& pins, int error) {
  if (error == EPERM) {
    return base::fail(Errc::permission, "load the eBPF programs: not permitted; needs root (CAP_BPF, CAP_NET_ADMIN)");
  }
  return base::fail(Errc::unavailable, "load the eBPF programs: " + std::string(std::strerror(error)) + " (" +
                                           first_warning + "); `fairlead check` says what this kernel lacks; when " +
                                           pins + " has maps of another size, `fairlead cleanup` removes them");
}

Result<Skeleton> load(const Datapath::Options& options, const std::string& map_folder) {
  first_warning.clear();
  libbpf_set_print(keep_first_warning);
  Skeleton skeleton(redirect_programs::open());
  if (!skeleton) return load_error(options.pins, errno);
  bpf_map__set_max_entries(skeleton->maps.destinations, options.max_destinations);
  bpf_map__set_max_entries(skeleton->maps.reservations, options.max_handshakes);
  bpf_map__set_max_entries(skeleton->maps.handoffs, options.max_handshakes);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const std::string path = map_folder + "/" + bpf_map__name(map);
    if (const int error = bpf_map__set_pin_path(map, path.c_str())) return load_error(options.pins, -error);
  }
  if (const int error = redirect_programs::load(skeleton.get())) return load_error(options.pins, -error);
  return skeleton;
}

fairlead_destination key_of(const SocketAddress& address) {
  fairlead_destination key{};
  std::copy(address.ip.bytes.begin(), address.ip.bytes.end(), key.address);
  key.port = htons(address.port);
  return key;
}

SocketAddress address_of(const fairlead_destination& key) {
  SocketAddress address;
  std::copy(std::begin(key.address), std::end(key.address), address.ip.bytes.begin());
  address.port = ntohs(key.port);
  return address;
}

fairlead_exclusions to_kernel(const Exclusions& exclusions) {
  fairlead_exclusions value{};
  for (const PortRange& range :
       std::span(exclusions.ports).first(std::min(exclusions.ports.size(), Exclusions::kMost))) {
    auto& to = value.port_range[value.port_ranges++];
    to.first = range.first;
    to.last = range.last;
  }
  for (const Cidr& cidr : std::span(exclusions.cidrs).first(std::min(exclusions.cidrs.size(), Exclusions::kMost))) {
    auto& to = value.network[value.networks++];
    std::memcpy(to.address, cidr.address.bytes.data(), sizeof to.address);
    std::array<std::uint8_t, sizeof to.mask> mask{};
    for (std::size_t bit = 0; bit < cidr.prefix; ++bit) mask[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    std::memcpy(to.mask, mask.data(), sizeof to.mask);
  }
  return value;
}

template <typename Key, typename Visit>
void for_each_key(int map, Visit visit) {
  Key key{};
  for (int error = ::bpf_map_get_next_key(map, nullptr, &key); error == 0;
       error = ::bpf_map_get_next_key(map, &key, &key)) {
    visit(key);
  }
}

bool has_handshakes(int reservations) {
  std::uint64_t cookie = 0;
  return ::bpf_map_get_next_key(reservations, nullptr, &cookie) == 0;
}

struct OpenCgroup {
  UniqueFd fd;
  std::uint64_t id = 0;
};

Result<OpenCgroup> open_cgroup(const std::string& path) {
  OpenCgroup cgroup{UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))};
  if (!cgroup.fd) {
    if (errno == ENOENT) return base::fail(Errc::not_found, "no cgroup " + path);
    return base::fail_errno("open cgroup " + path);
  }
  struct statfs file_system{};
  struct stat status{};
  if (::fstatfs(cgroup.fd.get(), &file_system) != 0 || ::fstat(cgroup.fd.get(), &status) != 0) {
    return base::fail_errno("look at cgroup " + path);
  }
  if (file_system.f_type != CGROUP2_SUPER_MAGIC) return base::fail(Errc::invalid, path + " is not a cgroup2 folder");
  cgroup.id = status.st_ino;
  return cgroup;
}

std::optional<std::uint64_t> parse_id(const std::string& name) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return id;
}

std::string version_folder(const std::string& pins) { return pins + "/v" + std::to_string(FAIRLEAD_ABI_VERSION); }

// Every version keeps its links in these places.
Result<> remove_version(const std::string& folder) {
  constexpr auto kNewestFirst = [](std::span<const Hook> hooks) { return std::vector(hooks.rbegin(), hooks.rend()); };
  for (const std::string& id : pins::list(folder + "/links")) {
    if (auto done = cgroup_links::detach(kNewestFirst(kCallerHooks), folder + "/links/" + id); !done) return done;
  }
  if (auto done = cgroup_links::detach(kNewestFirst(kProxyHooks), folder + "/proxy"); !done) return done;
  return pins::remove(folder);
}

}  // namespace

struct Datapath::State {
  Options options;
  UniqueFd claim;      // of the pins; none unless exclusive
  std::string folder;  // of this version
  Skeleton skeleton;
  std::unordered_set<SocketAddress> destinations;  // as they are in the kernel
  std::map<std::uint64_t, std::string> claimed;    // cgroup's folder by id
  std::string proxy_cgroup;                        // empty: not claimed

  [[nodiscard]] std::string links_of(std::uint64_t id) const { return folder + "/links/" + std::to_string(id); }
  [[nodiscard]] Result<> set_active(std::uint64_t id, bool is_active) const;
  [[nodiscard]] Result<> detach(std::uint64_t id) const;
};

Result<> Datapath::State::set_active(std::uint64_t id, bool is_active) const {
  const int map = bpf_map__fd(skeleton->maps.workloads);
  fairlead_workload workload{};
  (void)::bpf_map_lookup_elem(map, &id, &workload);  // what the programs know of it stays
  workload.cgroup_id = is_active ? id : 0;
  if (::bpf_map_update_elem(map, &id, &workload, BPF_ANY) == 0) return {};
  if (errno == ENOENT && !is_active) return {};  // never attached, or the cgroup is gone
  return base::fail_errno("activate cgroup " + std::to_string(id));
}

Result<> Datapath::State::detach(std::uint64_t id) const {
  if (auto done = set_active(id, false); !done) return done;
  (void)::bpf_map_delete_elem(bpf_map__fd(skeleton->maps.exclusions), &id);  // if there was any
  return cgroup_links::detach(std::vector(kCallerHooks.rbegin(), kCallerHooks.rend()), links_of(id));
}

Datapath::Datapath(std::unique_ptr<State> state) : state_(std::move(state)) {}
Datapath::Datapath(Datapath&&) noexcept = default;
Datapath& Datapath::operator=(Datapath&&) noexcept = default;
Datapath::~Datapath() = default;

Result<Datapath> Datapath::open(Options options) {
  auto state = std::make_unique<State>();
  state->folder = version_folder(options.pins);
  if (auto done = pins::prepare(options.pins); !done) return tl::unexpected(done.error());
  if (options.is_exclusive) {
    auto claim = pins::claim(options.pins);
    if (!claim) return tl::unexpected(claim.error());
    state->claim = std::move(*claim);
  }
  for (const char* part : {"", "/maps", "/links"}) {
    if (auto done = pins::make_folder(state->folder + part); !done) return tl::unexpected(done.error());
  }
  auto skeleton = load(options, state->folder + "/maps");
  if (!skeleton) return tl::unexpected(skeleton.error());
  state->skeleton = std::move(*skeleton);
  state->options = std::move(options);
  for_each_key<fairlead_destination>(bpf_map__fd(state->skeleton->maps.destinations),
                                     [&](const auto& key) { state->destinations.insert(address_of(key)); });
  return Datapath(std::move(state));
}

Result<> Datapath::set_destinations(std::span<const SocketAddress> destinations) {
  const int map = bpf_map__fd(state_->skeleton->maps.destinations);
  std::unordered_set<SocketAddress>& known = state_->destinations;
  std::size_t refused = 0;
  const auto add_missing = [&]() -> Result<> {
    refused = 0;
    for (const SocketAddress& address : destinations) {
      if (known.contains(address)) continue;
      const fairlead_destination key = key_of(address);
      const std::uint8_t value = 1;
      if (::bpf_map_update_elem(map, &key, &value, BPF_ANY) == 0) {
        known.insert(address);
      } else if (errno == E2BIG || errno == ENOMEM) {
        ++refused;
      } else {
        return base::fail_errno("add the destination " + address.to_string());
      }
    }
    return {};
  };
  if (auto added = add_missing(); !added) return added;

  const std::unordered_set<SocketAddress> wanted(destinations.begin(), destinations.end());
  for (auto address = known.begin(); address != known.end();) {
    if (wanted.contains(*address)) {
      ++address;
      continue;
    }
    const fairlead_destination key = key_of(*address);
    if (::bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
      return base::fail_errno("remove the destination " + address->to_string());
    }
    address = known.erase(address);
  }

  if (refused == 0) return {};
  if (auto added = add_missing(); !added || refused == 0) return added;  // in the places of those that went
  return base::fail(Errc::unavailable, std::to_string(refused) + " of " + std::to_string(wanted.size()) +
                                           " destinations do not fit into the kernel's table of " +
                                           std::to_string(bpf_map__max_entries(state_->skeleton->maps.destinations)) +
                                           "; connections to them pass untouched");
}

Result<> Datapath::register_listener(int socket) {
  const UniqueFd netns(::ioctl(socket, SIOCGSKNS));
  struct stat status{};
  if (!netns || ::fstat(netns.get(), &status) != 0) return base::fail_errno("find a listener's network namespace");
  const fairlead_listener listener{.netns_id = status.st_ino};
  const int map = bpf_map__fd(state_->skeleton->maps.listeners);
  if (::bpf_map_update_elem(map, &socket, &listener, BPF_ANY) != 0) return base::fail_errno("register a listener");
  return {};
}

Result<> Datapath::unregister_listeners(std::span<const int> sockets, std::chrono::milliseconds patience) {
  const int map = bpf_map__fd(state_->skeleton->maps.listeners);
  for (const int socket : sockets) {
    if (::bpf_map_delete_elem(map, &socket) != 0 && errno != ENOENT) return base::fail_errno("unregister a listener");
  }
  const auto deadline = base::now() + patience;
  while (has_handshakes(bpf_map__fd(state_->skeleton->maps.reservations))) {
    if (base::now() >= deadline) {
      return base::fail(Errc::unavailable, "connections are still on their way to the proxy; they will be refused");
    }
    ::poll(nullptr, 0, 1);
  }
  return {};
}

Result<std::uint64_t> Datapath::attach_workload(const std::string& path) {
  const auto cgroup = open_cgroup(path);
  if (!cgroup) return tl::unexpected(cgroup.error());
  const std::uint64_t id = cgroup->id;
  if (auto attached =
          cgroup_links::attach(kCallerHooks, state_->skeleton->obj, {cgroup->fd.get(), id}, state_->links_of(id));
      !attached) {
    return base::fail(attached.error().code, attached.error().message + " " + path);
  }
  if (auto activated = state_->set_active(id, true); !activated) return tl::unexpected(activated.error());
  state_->claimed[id] = path;
  return id;
}

static_assert(Exclusions::kMost == FAIRLEAD_MAX_EXCLUSIONS);

Result<> Datapath::exclude(std::uint64_t cgroup_id, const Exclusions& exclusions) {
  const int map = bpf_map__fd(state_->skeleton->maps.exclusions);
  if (exclusions.empty()) {
    if (::bpf_map_delete_elem(map, &cgroup_id) == 0 || errno == ENOENT) return {};
  } else {
    const fairlead_exclusions value = to_kernel(exclusions);
    if (::bpf_map_update_elem(map, &cgroup_id, &value, BPF_ANY) == 0) return {};
  }
  return base::fail_errno("exclude destinations of cgroup " + std::to_string(cgroup_id));
}

Result<> Datapath::detach_workload(std::uint64_t cgroup_id) {
  if (auto detached = state_->detach(cgroup_id); !detached) return detached;
  state_->claimed.erase(cgroup_id);
  return {};
}

Result<> Datapath::attach_proxy(const std::string& path) {
  const auto cgroup = open_cgroup(path);
  if (!cgroup) return tl::unexpected(cgroup.error());
  auto attached = cgroup_links::attach(kProxyHooks, state_->skeleton->obj, {cgroup->fd.get(), cgroup->id},
                                       state_->folder + "/proxy");
  if (!attached) return base::fail(attached.error().code, attached.error().message + " " + path);
  state_->proxy_cgroup = path;
  return {};
}

Result<std::vector<std::uint64_t>> Datapath::workloads() const {
  std::vector<std::uint64_t> ids;
  for (const std::string& name : pins::list(state_->folder + "/links")) {
    const auto id = parse_id(name);
    if (id && !cgroup_links::is_cgroup_gone(kCallerHooks, state_->links_of(*id))) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<> Datapath::drop_unclaimed() {
  for (const std::string& name : pins::list(state_->folder + "/links")) {
    const auto id = parse_id(name);
    if (!id || state_->claimed.contains(*id)) continue;
    if (auto detached = state_->detach(*id); !detached) return detached;
  }
  if (state_->proxy_cgroup.empty()) {
    if (auto detached = cgroup_links::detach(kProxyHooks, state_->folder + "/proxy"); !detached) return detached;
  }
  for (const std::string& name : pins::list(state_->options.pins)) {
    const std::string folder = state_->options.pins + "/" + name;
    if (folder == state_->folder) continue;
    if (auto removed = remove_version(folder); !removed) return removed;
  }
  return {};
}

Result<std::vector<Datapath::Verdict>> Datapath::verdicts() const {
  const int map = bpf_map__fd(state_->skeleton->maps.counters);
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())));
  std::vector<Verdict> verdicts;
  for (std::uint32_t index = 0; index < kVerdictNames.size(); ++index) {
    if (::bpf_map_lookup_elem(map, &index, per_cpu.data()) != 0) return base::fail_errno("read the verdict counters");
    std::uint64_t sum = 0;
    for (const std::uint64_t count : per_cpu) sum += count;
    verdicts.push_back({kVerdictNames[index].verdict, kVerdictNames[index].reason, sum});
  }
  return verdicts;
}

std::vector<Datapath::MapUse> Datapath::map_use() const {
  const auto& maps = state_->skeleton->maps;
  MapUse handshakes{.name = "handshakes", .max_entries = bpf_map__max_entries(maps.reservations)};
  for_each_key<std::uint64_t>(bpf_map__fd(maps.reservations), [&](const auto&) { ++handshakes.entries; });
  return {{"destinations", state_->destinations.size(), bpf_map__max_entries(maps.destinations)}, handshakes};
}

std::vector<Datapath::ProgramUse> Datapath::program_use() const {
  std::vector<OpenCgroup> workloads, proxy;
  for (const auto& [id, path] : state_->claimed) {
    if (auto cgroup = open_cgroup(path); cgroup && cgroup->id == id) workloads.push_back(std::move(*cgroup));
  }
  if (auto cgroup = open_cgroup(state_->proxy_cgroup)) proxy.push_back(std::move(*cgroup));
  std::vector<ProgramUse> programs;
  const auto ask = [&](std::span<const Hook> hooks, const std::vector<OpenCgroup>& cgroups) {
    if (cgroups.empty()) return;
    for (const Hook& hook : hooks) {
      programs.push_back({hook.program, std::all_of(cgroups.begin(), cgroups.end(), [&](const OpenCgroup& cgroup) {
                            return cgroup_links::is_attached(hook, state_->skeleton->obj, cgroup.fd.get());
                          })});
    }
  };
  ask(kCallerHooks, workloads);
  ask(kProxyHooks, proxy);
  return programs;
}

static_assert(std::tuple_size_v<decltype(Datapath::TcpUse::rtt)> == FAIRLEAD_RTT_BUCKETS);

Result<> Datapath::count_tcp(bool counts) {
  const std::uint32_t first = 0;
  const fairlead_settings settings{.counts_tcp = counts};
  if (::bpf_map_update_elem(bpf_map__fd(state_->skeleton->maps.settings), &first, &settings, BPF_ANY) == 0) return {};
  return base::fail_errno("tell the eBPF programs what to count");
}

std::vector<Datapath::TcpUse> Datapath::tcp_use() const {
  const int map = bpf_map__fd(state_->skeleton->maps.tcp);
  std::vector<fairlead_tcp> per_cpu(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())));
  std::vector<TcpUse> all;
  for (const auto& [id, path] : state_->claimed) {
    if (::bpf_map_lookup_elem(map, &id, per_cpu.data()) != 0) continue;  // the cgroup is gone
    TcpUse& use = all.emplace_back(TcpUse{.cgroup_id = id});
    for (const fairlead_tcp& counts : per_cpu) {
      for (std::size_t i = 0; i < use.rtt.size(); ++i) use.rtt[i] += counts.rtt[i];
      use.rtt_sum_us += counts.rtt_sum_us;
      use.retransmits += counts.retransmits;
      use.resets += counts.resets;
      use.sent_bytes += counts.sent_bytes;
      use.received_bytes += counts.received_bytes;
    }
  }
  return all;
}

Result<> Datapath::remove(const std::string& pins) {
  for (const std::string& name : pins::list(pins)) {
    if (auto removed = remove_version(pins + "/" + name); !removed) return removed;
  }
  if (auto removed = pins::remove(pins); !removed) return removed;
  base::unmount_own(std::filesystem::path(pins).parent_path());
  return {};
}

Result<std::uint64_t> cgroup_id(const std::string& path) {
  const auto cgroup = open_cgroup(path);
  if (!cgroup) return tl::unexpected(cgroup.error());
  return cgroup->id;
}

}  // namespace agent
