#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "proxy/engine/event_loop.h"
#include "proxy/http1/body.h"
#include "proxy/http1/head.h"
#include "proxy/http1/write.h"
#include "proxy/identity/source.h"
#include "proxy/policy/fault.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/retry.h"
#include "proxy/telemetry/worker_telemetry.h"
#include "proxy/upstream/endpoint_pool.h"

namespace proxy {

class Downstream;
class Worker;

// What becomes of the caller's connection after a request.
enum class CloseMode : std::uint8_t {
  keep,     // the next request may come
  at_once,  // when the last byte is in the kernel
  delayed,  // give the caller a second to read and close (Envoy's delayed close)
  reset,    // it is gone already
};

// One request from head to last byte:
//
//   begin ─▶ route ─▶ fault ─▶ attempt ─▶ pool ─▶ send ─▶ response head ─▶ body ─▶ finish
//                                 ▲                  │
//                                 └──── back-off ◀───┴─ reset, timeout, retriable status
//
// Asks the policies, lets connections do the I/O, reports the outcome. Taken from the worker's pool by the downstream
// connection, back there at the end of the turn in which it finished. Also carries a byte tunnel (Upgrade, not HTTP).
class Request final : public upstream::User, public engine::Deferred {
 public:
  explicit Request(Worker& worker);

  // --- from the downstream connection ---
  [[nodiscard]] http1::RequestHead& head() { return head_; }
  // `bytes`: the head. `payload`: body bytes that came with it. `is_complete`: that is the whole request.
  void begin(Downstream& downstream, std::string_view bytes, std::string_view payload, bool is_complete);
  void on_body(std::string_view payload, std::uint64_t wire_bytes, bool is_complete);
  // Malformed before there was a request: answers and closes.
  void reject(Downstream& downstream, std::uint16_t status, std::string_view details);
  void reject_body(http1::BodyError error);
  // Part of a head has come, and its pod has used up what may be kept for it: answers and closes.
  void refuse(Downstream& downstream, std::size_t head_bytes);
  // The caller went away in the middle of a head: there is nothing to answer, only to record.
  void abandon(Downstream& downstream);
  // Bytes that are not HTTP, to where they were going.
  void begin_tcp(Downstream& downstream);
  [[nodiscard]] bool is_tunnel() const { return stage_ == Stage::tunnel; }
  void on_tunnel_data(std::string_view bytes);
  void on_tunnel_end();
  void on_downstream_gone();
  void on_downstream_writable();
  [[nodiscard]] bool wants_body() const;
  [[nodiscard]] bool is_complete() const { return is_complete_; }
  // The service it goes to is in use.
  void use_service();

  // --- from the upstream connection ---
  void on_connection_ready(upstream::Connection& connection) override;
  void on_connection_failed(const upstream::Failure& failure) override;
  Progress on_upstream_data(char* data, std::size_t size) override;
  Next on_upstream_end(int error_number) override;
  void on_request_not_sent() override;
  void on_upstream_writable() override;
  [[nodiscard]] bool wants_upstream_data() const override;

  void run_deferred(When when) override;

 private:
  enum class Stage : std::uint8_t {
    idle,
    fault_delay,
    connecting,  // an attempt waits for a connection
    sent,        // an attempt waits for its response head
    backoff,
    replying,    // with a reply of our own
    responding,  // the response head is on its way to the caller
    tunnel,
    done,
  };

  // What an unknown host is sent along: no timeout, no retry (SEMANTICS 2.1).
  static const config::Route& passthrough_route();

  // In the order in which a request meets them.
  void reset(Downstream& downstream);
  bool validate();
  bool choose_route();
  void limit_time();
  void inject_fault();
  void enter_router();
  void start_timeout_clock();
  void start_attempt();
  upstream::EndpointPool* pick_endpoint();
  void send_request();
  void send_body(std::string_view payload, bool is_last);
  void keep_for_retry(std::string_view payload);
  void begin_without_head(Downstream& downstream);
  void reply_overloaded(std::size_t bytes);  // that would have to be kept
  // On the pod's account: what is kept of the head, if that is not of ordinary size, and of the body. False: no room.
  bool count_head();
  // No room: this request will not be tried again.
  void count_kept_body();
  void forget_kept_body();
  void give_up_retries();

  Progress on_response_head(char* data, std::size_t size, std::size_t head_size);
  Progress relay_informational(const char* data, std::size_t head_size);
  Progress on_response_body(char* data, std::size_t size, std::size_t already_used, bool with_head);
  void refuse_upgrade();
  Progress begin_tunnel(std::string_view bytes, std::size_t head_size);
  void finish_response();
  [[nodiscard]] CloseMode close_mode() const;  // after the response

  void on_attempt_reset(policy::ResetReason reason, int error_number, bool any_byte_sent);
  void on_per_try_timeout(base::TimePoint now);
  void on_route_timeout(base::TimePoint now);
  void on_wait_over(base::TimePoint now);
  // After a retriable outcome: schedules the retry, or sets the flag that says why not.
  bool schedule_retry();
  void end_attempt(telemetry::AttemptOutcome outcome, std::uint16_t status, std::uint32_t flags);
  void drop_connection();

  struct LocalReply {
    std::uint16_t status = 0;
    std::string_view body;
    std::uint32_t flags = 0;
    std::string_view details;
    bool is_overloaded = false;
    std::optional<std::int32_t> grpc_status = {};  // another than the status stands for
  };
  void reply_locally(const LocalReply& reply);
  void send_local_reply(const LocalReply& reply);
  void put_off_reply(const LocalReply& reply);
  void send_late_reply();
  void reply_reset(policy::ResetReason reason, int error_number);
  void reply_timeout(std::string_view details);
  void send_downstream(std::string_view bytes);
  void cut_response(std::uint32_t flags, std::string_view details);
  void finish(CloseMode close);
  void record(std::uint16_t status);
  [[nodiscard]] telemetry::TcpRecord tcp_record() const;
  void report_tunnel_bytes();
  void look_after_tunnel();
  base::SocketAddress tcp_target();

  [[nodiscard]] std::uint32_t service_id() const { return service_ == nullptr ? 0 : service_->id; }

  [[nodiscard]] std::string_view header(http1::HeaderId id) const;
  [[nodiscard]] base::TimePoint now() const;
  [[nodiscard]] std::string_view bytes() const { return head_bytes_; }

  static constexpr std::size_t kOrdinaryHeadBytes = 4096;
  // What an idle request may hold: a large head, a large upload is not the rule.
  static constexpr std::size_t kMaxHeadCapacity = 8 * 1024;
  static constexpr std::size_t kMaxKeptCapacity = 64 * 1024;
  static constexpr std::chrono::milliseconds kRestOfRequestWait{2};
  static constexpr std::chrono::seconds kTunnelReportInterval{5};  // OBSERVABILITY 2

  Worker& worker_;
  Downstream* downstream_ = nullptr;
  PinnedSnapshot* pinned_ = nullptr;
  Source* source_ = nullptr;
  const config::Workload* workload_ = nullptr;

  // the request
  http1::RequestHead head_;
  std::string head_bytes_;
  std::string target_storage_;
  http1::Target target_;
  std::string_view authority_;
  std::string request_id_;  // generated; empty when the caller sent one
  bool is_complete_ = false;
  // begin() is running: a reply given now comes before Envoy would have seen the end of the request, so a connection
  // that closes lingers; and when there is a body, the reply answers the head alone, and closes (SEMANTICS 2.8).
  bool is_beginning_ = false;
  bool answers_head_ = false;
  bool is_grpc_ = false;
  bool is_websocket_ = false;
  bool is_tcp_ = false;

  // where it goes
  const config::Service* service_ = nullptr;
  const config::Route* route_ = nullptr;
  std::optional<config::Milliseconds> timeout_;  // the route's, or what a gRPC caller asks for if that is less
  upstream::WorkerBackend* backend_ = nullptr;
  bool is_passthrough_ = false;
  bool keeps_endpoint_ = false;  // the caller has chosen it: an endpoint of a headless service

  // tries
  upstream::EndpointPool* pool_ = nullptr;  // of the current or last try
  upstream::Connection* connection_ = nullptr;
  boost::container::small_vector<upstream::EndpointPool*, 4> tried_;
  policy::RetryState retry_;
  policy::Permit retry_permit_;
  bool may_retry_ = false;
  bool is_active_ = false;  // counted in the endpoint's active requests
  std::uint32_t attempts_ = 0;
  policy::FaultDecision fault_ = {};
  std::string kept_body_;           // for a retry, or until there is a connection
  std::uint64_t counted_head_ = 0;  // on the pod's account
  std::uint64_t counted_body_ = 0;
  base::TimePoint attempt_started_;

  // the response
  http1::ResponseHead response_;
  http1::PartialHead partial_response_;
  http1::BodyDecoder response_body_;
  bool response_is_chunked_ = false;  // towards the caller
  bool has_informed_ = false;         // a 1xx has gone out: nothing is retried any more, and no other 1xx follows
  bool closes_downstream_ = false;
  std::uint16_t status_ = 0;
  std::int64_t service_time_ms_ = -1;
  std::int32_t grpc_status_ = -1;

  // what is recorded
  struct LateReply {  // LocalReply that owns its text
    LocalReply reply;
    std::string body, details;
  };
  std::optional<LateReply> late_reply_;
  Stage stage_ = Stage::idle;
  std::uint32_t flags_ = 0;
  std::string details_;
  std::string upstream_failure_;
  base::SocketAddress upstream_local_;
  base::TimePoint started_at_;
  base::TimePoint complete_at_;  // the whole request is here and routed: the timeout's clock
  base::WallTime started_wall_;
  std::uint64_t request_body_bytes_ = 0, response_body_bytes_ = 0;
  std::uint64_t request_wire_bytes_ = 0, response_wire_bytes_ = 0;
  std::uint64_t attempt_request_bytes_ = 0, attempt_response_bytes_ = 0;
  std::uint64_t reported_received_ = 0, reported_sent_ = 0;  // of a TCP tunnel
  base::TimePoint tunnel_moved_at_;                          // bytes, either way
  bool downstream_ended_ = false;                            // tunnels: FIN seen
  bool upstream_ended_ = false;

  engine::Timer route_timer_;
  engine::Timer per_try_timer_;
  engine::Timer wait_timer_;  // fault delay, back-off, a tunnel's next report
};

}  // namespace proxy
