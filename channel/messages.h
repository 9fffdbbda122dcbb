#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/socket_address.h"
#include "base/unique_fd.h"
#include "config/model/node_config.h"
#include "config/model/status.h"

// What agent and proxy say to each other, as plain structs. Descriptors are owned by the message that carries them.
namespace channel {

inline constexpr std::uint32_t kProtocol = 2;

// --- agent to proxy ---

// The agent's first word.
struct Hello {
  std::uint32_t workers = 1;
  base::UniqueFd shards;  // shared memory; none: keep what you have
};

struct ApplyConfig {
  std::shared_ptr<const config::NodeConfig> config;
};

struct SetPods {
  std::vector<config::Pod> pods;
};

// As ListenerSpec::Fixed of proxy/server.h.
struct FixedDestination {
  base::SocketAddress original_destination;
  std::uint32_t pod = 0;
  std::optional<base::SocketAddress> passthrough;
};

struct AddListener {
  std::uint64_t id = 0;
  std::optional<FixedDestination> fixed;
  std::optional<std::uint32_t> pod;     // whose network namespace it is in; none: the node's
  std::vector<base::UniqueFd> sockets;  // one for each worker
};

struct RemoveListener {
  std::uint64_t id = 0;
};

// Unconnected TCP sockets of a pod's network namespace, for connections on its behalf.
struct AddSockets {
  std::uint32_t pod = 0;
  std::uint32_t worker = 0;  // as in NeedSockets
  bool is_v6 = false;
  std::vector<base::UniqueFd> sockets;
};

// The answer to FindService.
struct ServiceFound {
  base::IpAddress address;
  std::uint64_t generation = 0;  // of the configuration that has it, which was sent before; 0: there is none
};

struct SetAccessLog {
  base::UniqueFd file;  // none: no access log
};

struct Drain {
  std::chrono::milliseconds deadline{0};
};

struct Ping {
  std::uint64_t sequence = 0;
  bool asks_for_services = false;  // Pong::used
};

struct StatusRequest {
  std::uint64_t sequence = 0;
};

// --- proxy to agent ---

// The proxy's first word. One that has served for an agent that is gone hands back what it holds.
struct ProxyHello {
  std::string version;
  std::uint64_t generation = 0;
  std::uint32_t listeners = 0;     // as many AddListener follow
  std::vector<std::string> hosts;  // of the services it has
  base::UniqueFd shards;           // none in a new proxy
};

// Connections of this pod will soon have to wait for sockets.
struct NeedSockets {
  std::uint32_t pod = 0;
  std::uint32_t worker = 0;  // index
  bool is_v6 = false;
  std::uint32_t count = 0;
};

// A connection to this service's address is waiting: the configuration should have the service, if there is one.
struct FindService {
  base::IpAddress address;
};

struct Applied {
  std::uint64_t generation = 0;
  std::string error;  // empty: it is in force
};

struct Pong {
  std::uint64_t sequence = 0;
  // If it was asked for: hosts of the services that connections are open to, or were since it was asked for before.
  std::optional<std::vector<std::string>> used = {};
};

struct StatusReply {
  std::uint64_t sequence = 0;
  std::vector<config::BackendStatus> backends;
};

// --- agent to agent ---

// The next agent of the same installation asks for the node.
struct TakeOver {
  std::string owner;
};

struct HandedOver {
  std::uint32_t listeners = 0;  // as many AddListener follow
  std::string refusal;          // one line, ready to log; empty: the node is the asker's from now on
};

using Message = std::variant<Hello, ApplyConfig, SetPods, AddListener, RemoveListener, AddSockets, ServiceFound,
                             SetAccessLog, Drain, Ping, StatusRequest, ProxyHello, Applied, Pong, StatusReply,
                             NeedSockets, FindService, TakeOver, HandedOver>;

}  // namespace channel
