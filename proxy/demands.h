#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace proxy {

// Sockets of this pod's network namespace are running out.
struct SocketDemand {
  std::uint32_t pod = 0;
  std::uint32_t worker = 0;  // index
  int family = 0;            // AF_INET or AF_INET6
  std::uint32_t count = 0;
};
// A connection waits for this service to be part of the configuration.
struct ServiceDemand {
  base::IpAddress address;
};
// All workers have turned since they were asked to.
struct SignOfLife {
  std::uint64_t sequence = 0;
  std::optional<std::vector<std::string>> used = {};  // as in channel::Pong
};
using Demand = std::variant<SocketDemand, ServiceDemand, SignOfLife>;

// What workers want of the agent or have to tell it, on its way to the control thread, which has the channel.
class Demands {
 public:
  static base::Result<std::unique_ptr<Demands>> create();

  void push(const Demand& demand);  // any thread

  // --- control thread ---
  [[nodiscard]] int fd() const { return wakeup_.get(); }  // readable when there are some
  std::vector<Demand> take();

 private:
  explicit Demands(base::UniqueFd wakeup) : wakeup_(std::move(wakeup)) {}

  base::UniqueFd wakeup_;  // eventfd
  std::mutex mutex_;
  std::vector<Demand> demands_;
};

}  // namespace proxy
