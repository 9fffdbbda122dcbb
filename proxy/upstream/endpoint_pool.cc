#include "proxy/upstream/endpoint_pool.h"

#include "proxy/worker_context.h"

namespace proxy::upstream {

EndpointPool::EndpointPool(WorkerContext& context, std::shared_ptr<SharedBackend> backend,
                           std::shared_ptr<SharedEndpoint> shared, const config::Endpoint& endpoint,
                           const config::ConnectionPoolPolicy& policy, Owner owner)
    : context_(context),
      backend_(std::move(backend)),
      shared_(std::move(shared)),
      endpoint_(endpoint),
      policy_(policy),
      owner_(owner) {}

EndpointPool::~EndpointPool() {
  while (!idle_.empty()) idle_.front().close();
  while (!connections_.empty()) connections_.front().close();
}

EndpointPool::Outcome EndpointPool::new_stream(User& user, Connection*& connection) {
  policy::Limits& limits = backend_->limits;
  if (!idle_.empty()) {
    Connection& ready = idle_.front();
    if (!attach(ready, user)) return Outcome::requests_overflow;
    connection = &ready;
    return Outcome::attached;
  }
  if (!limits.pending.try_acquire(policy_.max_pending_requests)) {
    ++backend_->pending_overflow;
    return Outcome::pending_overflow;
  }
  ++pending_count_;
  pending_.push_back(user);
  if (!open_if_needed()) {
    context_.telemetry.on_limit_reject(owner_.service_id, telemetry::LimitKind::connections);
  }
  return Outcome::pending;
}

void EndpointPool::cancel_pending(User& user) {
  user.unlink();
  --pending_count_;
  backend_->limits.pending.release();
}

// One connection for each request that waits, as far as maxConnections lets us; the first of a pool is always allowed.
bool EndpointPool::open_if_needed() {
  while (pending_count_ > connecting_) {
    policy::AtomicLimit& limit = backend_->limits.connections;
    if (!limit.try_acquire(policy_.max_connections)) {
      if (!connections_.empty() || !idle_.empty()) return false;
      limit.acquire_unchecked();
    }
    Connection& connection = context_.connections.take(context_);
    connection.connection_permit_ = policy::Permit(limit);
    connections_.push_back(connection);
    ++connecting_;
    shared_->connections.fetch_add(1, std::memory_order_relaxed);
    connection.open(*this);
  }
  return true;
}

bool EndpointPool::attach(Connection& connection, User& user) {
  policy::AtomicLimit& requests = backend_->limits.requests;
  if (!requests.try_acquire(policy_.max_requests)) {
    ++backend_->pending_overflow;
    return false;
  }
  connection.request_permit_ = policy::Permit(requests);
  if (connection.state_ == Connection::State::idle) {
    connection.unlink();
    connections_.push_back(connection);
  }
  connection.attach(user);
  return true;
}

void EndpointPool::on_connected(Connection& connection) {
  --connecting_;
  backend_->on_local(*shared_, policy::LocalOutcome::connect_success, context_.loop->now());
  connection.unlink();
  idle_.push_front(connection);
  connection.state_ = Connection::State::idle;
  context_.loop->timers().arm(connection.timer_, context_.loop->now() + policy_.idle_timeout);
  serve_pending(connection);
}

// A connection that cannot be made fails everybody who waits for this endpoint: each decides for itself what to do
// next, instead of waiting for the next failure.
void EndpointPool::on_connect_failed(Connection& connection, const Failure& failure) {
  --connecting_;
  // Its place is free for those who try again; it is closed last, or another one would be opened for those who wait.
  connection.unlink();
  connection.connection_permit_.release();
  Users failed;
  failed.swap(pending_);
  while (!failed.empty()) {
    User& user = failed.front();
    cancel_pending(user);
    user.on_connection_failed(failure);
  }
  connection.close();
}

void EndpointPool::on_use_over(Connection& connection) {
  connection.unlink();
  idle_.push_front(connection);
  serve_pending(connection);
  if (is_retired_ && connection.state_ == Connection::State::idle) connection.close();
}

void EndpointPool::serve_pending(Connection& connection) {
  while (connection.state_ == Connection::State::idle && !pending_.empty()) {
    User& user = pending_.front();
    cancel_pending(user);
    if (attach(connection, user)) {
      user.on_connection_ready(connection);
    } else {
      user.on_connection_failed({policy::ResetReason::overflow, 0});
    }
  }
}

void EndpointPool::on_closed(Connection& connection) {
  connection.unlink();
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  if (!is_retired_) open_if_needed();
}

void EndpointPool::retire() {
  is_retired_ = true;
  while (!idle_.empty()) idle_.front().close();
}

}  // namespace proxy::upstream
