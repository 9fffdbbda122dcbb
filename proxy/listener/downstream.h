#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <string_view>

#include "base/socket_address.h"
#include "proxy/engine/event_loop.h"
#include "proxy/engine/stream_socket.h"
#include "proxy/request/request.h"

namespace proxy {

class Worker;

// A caller's connection: reads, cuts the bytes into requests, one at a time, and sends what they answer. Idle, it owns
// neither buffer nor request.
class Downstream final
    : public engine::IoHandler,
      public engine::Deferred,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Downstream(Worker& worker);

  struct Accepted {
    base::UniqueFd socket;
    base::SocketAddress peer;
    base::SocketAddress original_destination;
    // Where bytes for the original destination go; differs from it only in a trial without redirection.
    base::SocketAddress passthrough;
    bool is_fixed = false;     // by the listener, not by the kernel part
    Source* source = nullptr;  // never nullptr: nobody we know is a source too
  };
  // Nothing is read before begin().
  void open(Accepted accepted);
  void begin();
  // Nobody has said what service it goes to after so long: it passes.
  void begin_at_latest(base::TimePoint when);

  [[nodiscard]] Source& source() const { return *accepted_.source; }
  [[nodiscard]] const base::SocketAddress& peer() const { return accepted_.peer; }
  [[nodiscard]] const base::SocketAddress& original_destination() const { return accepted_.original_destination; }
  [[nodiscard]] const base::SocketAddress& passthrough() const { return accepted_.passthrough; }

  // --- from the request ---
  void send(std::span<iovec> parts, CloseMode after = CloseMode::keep);
  void shutdown_send() { socket_.shutdown_send(); }
  [[nodiscard]] std::size_t queued_bytes() const { return socket_.queued_bytes(); }
  void resume_reading();  // wants_body() may be true again
  // Reads what the caller has sent by now, once: a reply keeps the connection when that was the rest of the request.
  void take_arrived();
  void on_request_over(CloseMode close);

  // Of the request under way.
  void use_service() const;
  // How it ended.
  [[nodiscard]] telemetry::ConnectionResult result() const;

  // Stops after the request in progress; an idle connection closes now.
  void drain();
  // The source pod is gone: its connections go with it.
  void close();

  void on_io(std::uint32_t events) override;
  void run_deferred(When when) override;

 private:
  enum class State : std::uint8_t { closed, waiting, open, flushing, lingering };

  void process();
  void discard();
  bool read_more(char* scratch, std::size_t& size);
  // What nobody has used yet, for when somebody wants it.
  void keep(const char* bytes, std::size_t size);
  // False when this turn's share is used up; the next turn goes on.
  bool has_share(std::size_t bytes_so_far);
  // Uses as much of data[0, size) as it can and returns how much.
  std::size_t consume(char* data, std::size_t size);
  std::size_t consume_head(char* data, std::size_t size);
  void end_of_head(Request& request);
  void begin_tcp(Request& request);
  [[nodiscard]] bool wants_bytes() const;
  void on_end();
  void on_timer(base::TimePoint now);
  void arm_idle_timer();
  void begin_close(CloseMode close);

  Worker& worker_;
  Accepted accepted_;
  engine::StreamSocket socket_;
  engine::KeptBytes kept_;  // a partial head, or pipelined requests
  Request* request_ = nullptr;
  http1::PartialHead partial_head_;
  http1::BodyDecoder body_;
  engine::Timer timer_;  // waiting, idle, time for a head, delayed close
  CloseMode close_after_flush_ = CloseMode::keep;
  State state_ = State::closed;
  bool is_readable_ = false;
  bool has_ended_ = false;  // FIN seen by epoll
  bool is_processing_ = false;
  bool is_draining_ = false;
  bool has_partial_head_ = false;
  bool has_served_ = false;  // some request has come on it
  bool is_broken_ = false;   // a send failed
  bool is_late_ = false;     // idle, or slow to send a head or to take a reply
};

}  // namespace proxy
