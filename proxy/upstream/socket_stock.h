#pragma once

#include <sys/socket.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "proxy/demands.h"

namespace proxy::upstream {

// Who needs a socket when there is none.
class SocketUser {
 public:
  virtual void on_socket(base::UniqueFd socket) = 0;

 protected:
  ~SocketUser() = default;

 private:
  friend class SocketStock;
  boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> waiting_;

 protected:
  void stop_waiting() {
    if (waiting_.is_linked()) waiting_.unlink();
  }
};

// Unconnected sockets of a pod's network namespace and one family, for one worker. The proxy must not enter namespaces,
// so the agent makes them ahead (DESIGN 3). A pod that connects more often gets a larger stock.
class SocketStock {
 public:
  static constexpr std::uint32_t kSmallest = 4;
  static constexpr std::uint32_t kLargest = 64;

  // What is demanded names `pod`, `worker` and `family`.
  SocketStock(Demands& demands, std::uint32_t pod, std::uint32_t worker, int family)
      : demands_(demands), pod_(pod), worker_(worker), family_(family) {}

  // A socket; without one, `user` gets the next that comes, unless it stops waiting.
  base::UniqueFd take(SocketUser& user);
  void add(std::vector<base::UniqueFd> sockets);
  // Demands what is missing. Again, when an agent is there that was not asked.
  void demand_again();
  // Now and then: a pod that has become quiet gives its sockets back.
  void keep_house();

  [[nodiscard]] bool is_used() const { return is_used_; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(sockets_.size()); }

 private:
  void demand();

  using Waiting = boost::intrusive::list<
      SocketUser, boost::intrusive::member_hook<SocketUser, decltype(SocketUser::waiting_), &SocketUser::waiting_>,
      boost::intrusive::constant_time_size<false>>;
  Demands& demands_;
  std::uint32_t pod_;
  std::uint32_t worker_;
  int family_;
  std::vector<base::UniqueFd> sockets_;
  Waiting waiting_;
  std::uint32_t wanted_ = kSmallest;
  std::uint32_t demanded_ = 0;  // and not here yet
  std::uint32_t taken_ = 0;     // since the last keep_house()
  std::uint32_t quiet_turns_ = 0;
  bool is_used_ = false;
};

// Both families of one pod that has a network namespace of its own.
struct PodSockets {
  PodSockets(Demands& demands, std::uint32_t pod, std::uint32_t worker)
      : v4(demands, pod, worker, AF_INET), v6(demands, pod, worker, AF_INET6) {}
  // Of the families that the pod has used, and the usual one.
  void demand_again() {
    v4.demand_again();
    if (v6.is_used()) v6.demand_again();
  }
  SocketStock& of(int family) { return family == AF_INET ? v4 : v6; }

  SocketStock v4, v6;
};

}  // namespace proxy::upstream
