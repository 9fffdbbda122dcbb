#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/datapath/exclusions.h"
#include "base/result.h"
#include "base/socket_address.h"

namespace agent {

// The kernel part: which connections of which cgroups go to the proxy. The only code that calls libbpf.
//
// What it attaches is pinned and works on without the agent; the next agent opens the same folder and finds it. Errors
// name what to do; after one, what was in force stays in force. Not thread-safe: for the agent's main thread.
class Datapath {
 public:
  static constexpr const char* kPins = "/sys/fs/bpf/fairlead";
  struct Options {
    // In a bpf file system; one is mounted on the folder above when that is an empty folder of another kind.
    std::string pins = kPins;
    // Sizes of tables in the kernel. What does not fit passes untouched. Cannot change while pins exist.
    std::uint32_t max_destinations = 65536;
    std::uint32_t max_handshakes = 16384;  // between connect() and the proxy's end being established
    // Refuses when another process has opened the same pins so: two agents would take each other's programs off.
    bool is_exclusive = false;
  };

  // Loads the programs. Maps that an earlier agent pinned are taken over with what is in them; its attachments go on
  // working as they are until they are claimed by attaching the same cgroup again, or dropped.
  static base::Result<Datapath> open(Options options);
  Datapath(Datapath&&) noexcept;
  Datapath& operator=(Datapath&&) noexcept;
  ~Datapath();  // detaches nothing

  // What is redirected, from now on exactly this; new ones are added before old ones go. Errc::unavailable when not all
  // fit.
  base::Result<> set_destinations(std::span<const base::SocketAddress> destinations);

  // A listening socket of the proxy, on its port of 127.0.0.1 or ::1, for the network namespace it belongs to; also one
  // that is handed over by an earlier agent. Without it no connection is redirected in that namespace. It ends with the
  // socket.
  base::Result<> register_listener(int socket);
  // Before listeners are closed while callers are about: new connections pass, those on their way arrive. Waits for
  // them, at most so long; Errc::unavailable when some are left, which a closed listener refuses.
  base::Result<> unregister_listeners(std::span<const int> sockets, std::chrono::milliseconds patience);

  // Redirects the connections of a cgroup (its folder in a cgroup2 mount) and of those below it, all at once, and
  // returns the id under which the proxy hears of them. Sockets made before the process came into the cgroup are not in
  // it. Programs of an earlier attachment are exchanged without a gap.
  base::Result<std::uint64_t> attach_workload(const std::string& cgroup);
  // What of a cgroup's connections passes all the same, from the next one on. Before its attachment, and whenever it
  // changes; it goes when the cgroup is detached.
  base::Result<> exclude(std::uint64_t cgroup_id, const Exclusions& exclusions);
  // Also for a cgroup that is gone, and for one that is not attached. Established connections stay, but getpeername()
  // of those tells of the proxy from now on.
  base::Result<> detach_workload(std::uint64_t cgroup_id);

  // Lets the proxy ask where connections were going. `cgroup` is where the listening sockets are made: a socket belongs
  // to the cgroup its maker was in, and so do the connections it accepts, whoever holds them later.
  base::Result<> attach_proxy(const std::string& cgroup);

  // Attached now, by this or an earlier agent; ids, ascending. A cgroup that is removed leaves a little later.
  [[nodiscard]] base::Result<std::vector<std::uint64_t>> workloads() const;
  // Detaches what an earlier agent attached and this one has not claimed, and what is pinned for another version.
  base::Result<> drop_unclaimed();

  // Connections by what became of them since the pins were made.
  struct Verdict {
    std::string_view verdict;  // redirected, passed, lost
    std::string_view reason;   // "-" when redirected
    std::uint64_t count = 0;
  };
  [[nodiscard]] base::Result<std::vector<Verdict>> verdicts() const;
  struct MapUse {
    std::string_view name;
    std::uint64_t entries = 0, max_entries = 0;
  };
  [[nodiscard]] std::vector<MapUse> map_use() const;

  // The kernel's answer: is each program attached to all cgroups that were attached through this object (and are still
  // there)? Without any such cgroup nothing is said of the program.
  struct ProgramUse {
    std::string_view name;
    bool is_attached = false;
  };
  [[nodiscard]] std::vector<ProgramUse> program_use() const;

  // Whether connections that pass are counted; not those that are open already. Nothing is, until this is called once.
  base::Result<> count_tcp(bool counts);
  // Of the processes of each cgroup that was attached through this object, since its first attachment.
  struct TcpUse {
    std::uint64_t cgroup_id = 0;
    std::array<std::uint64_t, 8> rtt{};  // not cumulative; the bounds are those of bpf/abi.h
    std::uint64_t rtt_sum_us = 0, retransmits = 0, resets = 0, sent_bytes = 0, received_bytes = 0;
  };
  [[nodiscard]] std::vector<TcpUse> tcp_use() const;

  // Ends redirection and removes every pin, and the bpf file system if it was mounted for them. Good when there is
  // none.
  static base::Result<> remove(const std::string& pins = kPins);

 private:
  struct State;
  explicit Datapath(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The id of a cgroup, by its folder, as the kernel part reports it.
base::Result<std::uint64_t> cgroup_id(const std::string& cgroup);

}  // namespace agent
