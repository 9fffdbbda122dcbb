#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "base/socket_address.h"
#include "proxy/engine/event_loop.h"
#include "proxy/engine/stream_socket.h"
#include "proxy/engine/tcp_info.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/retry.h"
#include "proxy/upstream/socket_stock.h"
#include "telemetry/events.h"

namespace proxy {
struct WorkerContext;
}

namespace proxy::upstream {

class Connection;
class EndpointPool;

// Why an attempt could not have a connection, or lost it.
struct Failure {
  policy::ResetReason reason = policy::ResetReason::connection_termination;
  int error_number = 0;  // of the system call, 0 when there is none
};

// Who uses an upstream connection: one request (or tunnel) at a time. All calls come from the connection's worker; a
// user may end or change anything in them except to destroy itself.
class User : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // After EndpointPool::new_stream() answered `pending`: exactly one of the two, unless cancelled.
  virtual void on_connection_ready(Connection& connection) = 0;
  virtual void on_connection_failed(const Failure& failure) = 0;

  enum class Next : std::uint8_t {
    more,     // keep what was not used and go on
    release,  // this use is over, the connection is good for another one
    close,    // this use is over, and so is the connection
  };
  struct Progress {
    std::size_t used = 0;
    Next next = Next::more;
  };
  // Bytes that arrived; may be changed in place. After `release` or `close` the user is detached.
  virtual Progress on_upstream_data(char* data, std::size_t size) = 0;
  // The endpoint sent FIN (error_number 0) or the connection broke. `more` keeps the other direction open (tunnels);
  // otherwise the user is detached.
  virtual Next on_upstream_end(int error_number) = 0;
  // Nothing of what send_request() was given has been sent, and nothing can be.
  virtual void on_request_not_sent() = 0;
  virtual void on_upstream_writable() = 0;  // the send queue is empty again
  [[nodiscard]] virtual bool wants_upstream_data() const = 0;

 protected:
  ~User() = default;
};

// One TCP connection to an endpoint, owned by its pool.
class Connection final
    : public engine::IoHandler,
      public engine::Deferred,
      public SocketUser,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Connection(WorkerContext& context);

  // Starts to connect; the pool hears of the outcome later, never inside this call.
  void open(EndpointPool& pool);
  void attach(User& user);
  // The user gives up: whatever is in flight on the connection makes it useless.
  void abort();
  // Reads again after wants_upstream_data() was false.
  void resume_reading();

  // The first bytes of a use. A small one that `is_whole` is held until the end of the turn, and until then its user
  // keeps what it takes to send it once more: on_request_not_sent() may follow.
  engine::IoStatus send_request(std::span<iovec> parts, bool is_whole);
  [[nodiscard]] bool is_request_held() const { return is_request_held_; }
  // What follows. A failure shows as the end of the connection.
  void send(std::span<iovec> parts);
  void shutdown_send() { socket_.shutdown_send(); }
  [[nodiscard]] std::size_t queued_bytes() const { return socket_.queued_bytes(); }
  [[nodiscard]] const base::SocketAddress& local_address() const { return local_; }
  [[nodiscard]] EndpointPool& pool() const { return *pool_; }
  [[nodiscard]] std::uint64_t requests_served() const { return requests_; }

  void on_io(std::uint32_t events) override;
  void run_deferred(When when) override;
  void on_socket(base::UniqueFd socket) override;

 private:
  friend class EndpointPool;
  enum class State : std::uint8_t { closed, connecting, failed, idle, busy };

  int start_connect(base::UniqueFd socket);
  void fail_later(int error_number);
  void finish_connect(int error_number);
  void on_timer(base::TimePoint now);
  void on_lifetime_over(base::TimePoint now);
  void read();
  void give_request_back();
  void end(int error_number);
  void become_idle();
  // Long connections show while they last; a request costs no system call for it.
  void count_tcp_now_and_then();
  void count_tcp();
  void close();

  WorkerContext& context_;
  EndpointPool* pool_ = nullptr;
  User* user_ = nullptr;
  engine::StreamSocket socket_;
  engine::KeptBytes kept_;  // a partial head
  engine::Timer timer_;     // connect timeout, then idle timeout
  engine::Timer lifetime_;
  policy::Permit connection_permit_;
  policy::Permit request_permit_;
  std::uint32_t requests_ = 0;
  base::SocketAddress local_;
  int connect_error_ = 0;
  engine::TcpInfo counted_;  // up to
  base::TimePoint counted_at_;
  State state_ = State::closed;
  bool is_readable_ = false;
  bool has_ended_ = false;        // FIN or RST is on the socket
  bool is_draining_ = false;      // no further request after this one
  bool is_request_held_ = false;  // goes out at the end of its turn, and nothing has followed it
  bool is_reading_ = false;
  bool is_established_ = false;
  ::telemetry::ConnectionResult result_ = ::telemetry::ConnectionResult::closed;
};

}  // namespace proxy::upstream
