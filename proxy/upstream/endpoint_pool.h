#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>

#include "config/model/node_config.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/shared_backend.h"

namespace proxy {
struct WorkerContext;
}

namespace proxy::upstream {

// Whom connections are made for, and because of which service.
struct Owner {
  std::uint32_t pod_id = 0;
  std::uint32_t service_id = 0;             // 0: an original destination
  engine::ByteAccount* buffered = nullptr;  // of the pod; never nullptr
  PodSockets* sockets = nullptr;            // where connections get their sockets; nullptr: they make them
};

// The connections of one worker to one endpoint on behalf of one source pod, and the requests that wait for one
// (SEMANTICS 2.5, 2.11). Last in, first out.
class EndpointPool {
 public:
  EndpointPool(WorkerContext& context, std::shared_ptr<SharedBackend> backend, std::shared_ptr<SharedEndpoint> shared,
               const config::Endpoint& endpoint, const config::ConnectionPoolPolicy& policy, Owner owner);
  EndpointPool(const EndpointPool&) = delete;
  EndpointPool& operator=(const EndpointPool&) = delete;
  ~EndpointPool();

  enum class Outcome : std::uint8_t { attached, pending, pending_overflow, requests_overflow };
  // attached: `connection` is ready, user attached. pending: the user hears later.
  Outcome new_stream(User& user, Connection*& connection);
  void cancel_pending(User& user);

  void set_policy(const config::ConnectionPoolPolicy& policy) { policy_ = policy; }
  // The endpoint is gone from the configuration: idle connections close now, busy ones after their request.
  void retire();
  [[nodiscard]] bool is_unused() const { return connections_.empty() && idle_.empty() && pending_.empty(); }

  [[nodiscard]] const config::Endpoint& endpoint() const { return endpoint_; }
  void set_endpoint(const config::Endpoint& endpoint) { endpoint_ = endpoint; }
  [[nodiscard]] SharedEndpoint& shared() { return *shared_; }
  [[nodiscard]] SharedBackend& backend() { return *backend_; }
  [[nodiscard]] const config::ConnectionPoolPolicy& policy() const { return policy_; }
  [[nodiscard]] WorkerContext& context() { return context_; }
  [[nodiscard]] const Owner& owner() const { return owner_; }
  // nullptr: connections make their sockets.
  [[nodiscard]] SocketStock* sockets(int family) const {
    return owner_.sockets == nullptr ? nullptr : &owner_.sockets->of(family);
  }
  [[nodiscard]] bool is_retired() const { return is_retired_; }

 private:
  friend class Connection;
  using Connections = boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>>;
  using Users = boost::intrusive::list<User, boost::intrusive::constant_time_size<false>>;

  void on_connected(Connection& connection);
  void on_connect_failed(Connection& connection, const Failure& failure);
  void on_use_over(Connection& connection);  // it is good for another use
  void on_closed(Connection& connection);
  void serve_pending(Connection& connection);
  // False when maxConnections kept a user waiting that would have got a connection.
  bool open_if_needed();
  bool attach(Connection& connection, User& user);

  WorkerContext& context_;
  std::shared_ptr<SharedBackend> backend_;
  std::shared_ptr<SharedEndpoint> shared_;
  config::Endpoint endpoint_;
  config::ConnectionPoolPolicy policy_;
  Owner owner_;
  Connections connections_;  // all but idle ones
  Connections idle_;         // front: used last
  Users pending_;
  std::uint32_t connecting_ = 0;
  std::uint32_t pending_count_ = 0;
  bool is_retired_ = false;
};

}  // namespace proxy::upstream
