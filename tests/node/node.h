#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/datapath/cgroup_visit.h"
#include "agent/datapath/datapath.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

// One node on one machine: a network namespace, a cgroup2 folder and a bpf file system of the test's own. Everything is
// gone when it is destroyed. Failures to set up throw: the test fails, it is never skipped.
namespace node {

inline constexpr std::chrono::seconds kPatience{5};

// What a process in some cgroup saw of one connect().
struct Seen {
  int error = 0;             // of connect() or what led to it
  base::SocketAddress peer;  // as getpeername() tells
};

class Node {
 public:
  // Moves the calling thread into the new namespace and, as the maker of the proxy's sockets, into the cgroup "proxy".
  Node();
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] std::string pins() const { return directory_ + "/bpf/fairlead"; }
  [[nodiscard]] agent::Datapath::Options options() const { return {.pins = pins()}; }

  // The folder of a cgroup below the node's, made on first use. "a/b" is nested in "a".
  std::string cgroup(const std::string& name);

  // Forks, runs `body` in the cgroup and returns what it returned; -1 when it did not end in time.
  int run(const std::string& cgroup_name, const std::function<int()>& body);
  // The same for a body that has more to say.
  Seen see(const std::string& cgroup_name, const std::function<Seen()>& body);
  // Forks and leaves it running, without our descriptors; the destructor ends it.
  pid_t start(const std::string& cgroup_name, const std::function<void()>& body);
  // SIGTERM, then its exit code.
  int stop(pid_t process);

  void remove_cgroup(const std::string& name);

 private:
  [[nodiscard]] pid_t fork_into(const std::string& cgroup_name, const std::function<void()>& body);

  std::string directory_;  // for files
  std::string root_;       // cgroup
  base::UniqueFd home_netns_;
  std::optional<agent::CgroupVisit> visit_;  // to "proxy"
  std::vector<std::string> cgroups_;         // parents first
  std::vector<pid_t> processes_;
};

// The error is thrown.
template <typename T>
T need(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

base::SocketAddress address(const char* text);

// Gives `lo` another address.
void add_to_loopback(const char* ip);

base::UniqueFd listen_on(const base::SocketAddress& address, int backlog = 64);
// -1 when nobody has connected within the time; a connection that is there is taken at once.
base::UniqueFd accept_from(const base::UniqueFd& listener, std::chrono::milliseconds patience = kPatience);
bool has_connection(const base::UniqueFd& listener);
bool wait_for(const base::UniqueFd& fd, short events, std::chrono::milliseconds patience = kPatience);

base::UniqueFd tcp_socket(int family = AF_INET, int flags = 0);
int connect_to(const base::UniqueFd& socket, const base::SocketAddress& address);
base::SocketAddress peer_of(const base::UniqueFd& socket);
// Connects a new blocking socket.
Seen connect_plainly(const base::SocketAddress& address);

}  // namespace node
