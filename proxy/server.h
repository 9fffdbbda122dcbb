#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"
#include "config/model/node_config.h"
#include "config/model/status.h"
#include "proxy/demands.h"
#include "proxy/engine/send_ring.h"
#include "proxy/telemetry/shard_set.h"

// The proxy without its process: workers, and what the agent tells them. Everything here is called on one control
// thread; the workers are told by posting. main.cc connects it to the channel, integration tests use it as it is.
namespace proxy {

// Where accepted connections come from, and how their original destination is learnt.
struct ListenerSpec {
  std::uint64_t id = 0;
  std::vector<base::UniqueFd> sockets;  // listening, non-blocking, SO_REUSEPORT: one for each worker
  // Set: every connection counts as `pod`'s connection to this address (--no-bpf). Not set: the kernel part is asked
  // with getsockopt, and the pod is found by cgroup id.
  struct Fixed {
    base::SocketAddress original_destination;
    std::uint32_t pod = 0;
    // Where bytes for the original destination really go (unknown hosts, not HTTP); the same address if not set.
    std::optional<base::SocketAddress> passthrough;
  };
  std::optional<Fixed> fixed;
};

struct ServerOptions {
  std::uint32_t workers = 1;
  // How many the process may have. Callers get half of them, or their requests could not be sent on; those that come
  // above that wait in the kernel.
  std::uint64_t descriptors = 1024;
  // One for each worker; workers that get none send each message by a call of its own.
  std::vector<std::unique_ptr<engine::SendRing>> send_rings;
};

class Server {
 public:
  // `shards` is the shared memory that telemetry writes; it outlives the server.
  static base::Result<std::unique_ptr<Server>> start(ServerOptions options, telemetry::ShardSet& shards);
  ~Server();  // stops the workers at once; open connections are closed

  // Requests keep the generation they began with. Fails (and keeps the old one) on a regular expression RE2 refuses.
  base::Result<> apply(std::shared_ptr<const config::NodeConfig> config);
  void set_pods(std::vector<config::Pod> pods);
  void add_listener(ListenerSpec listener);
  void remove_listener(std::uint64_t id);

  // Where access log lines go; called again after a rotation. Without one, or with format `off`, none are written.
  void set_access_log(base::UniqueFd file);

  // What the workers want of the agent; the answers are the functions below.
  [[nodiscard]] Demands& demands();
  void add_sockets(const SocketDemand& demand, std::vector<base::UniqueFd> sockets);
  void on_no_service(const base::IpAddress& address);  // one that there is comes with a configuration
  // Nobody has heard what was demanded before.
  void on_new_agent();

  // A SignOfLife with this number comes when every worker has turned: one that hangs keeps it back. If asked for, it
  // says which services are in use.
  void ask_for_sign_of_life(std::uint64_t sequence, bool asks_for_services = false);

  // Stops accepting and lets requests finish; true when all were done before the deadline.
  bool drain(base::TimePoint deadline);

  [[nodiscard]] std::vector<config::BackendStatus> status();

 private:
  Server();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace proxy
