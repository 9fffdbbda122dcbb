#include "proxy/listener/downstream.h"
#include "proxy/request/local_replies.h"
#include "proxy/request/request.h"
#include "proxy/request/wire_parts.h"
#include "proxy/worker.h"

// The tries of a request: pick an endpoint, get a connection, send, and what happens when that comes to nothing.
namespace proxy {

using http1::BodyKind;
using policy::LocalOutcome;
using policy::ResetReason;
using telemetry::AttemptOutcome;

// Envoy's cluster for a headless service dials what the caller has dialled, whatever subset the route names, and
// however often that has failed.
upstream::EndpointPool* Request::pick_endpoint() {
  if (keeps_endpoint_) {
    upstream::EndpointPool* const dialled = backend_->find(downstream_->original_destination());
    if (dialled != nullptr) return dialled;
    backend_ = &source_->passthrough(downstream_->passthrough());  // it has left the service, its connections stay
  }
  const bool avoids = route_->retry.avoids_previous_hosts && !tried_.empty();
  return backend_->pick(avoids ? std::span<upstream::EndpointPool* const>(tried_.data(), tried_.size())
                               : std::span<upstream::EndpointPool* const>());
}

void Request::start_attempt() {
  stage_ = Stage::connecting;
  ++attempts_;
  grpc_status_ = -1;
  attempt_request_bytes_ = attempt_response_bytes_ = 0;
  pool_ = pick_endpoint();
  if (pool_ == nullptr) {
    reply_locally({.status = 503,
                   .body = "no healthy upstream",
                   .flags = telemetry::kNoHealthyUpstream,
                   .details = "no_healthy_upstream"});
    return;
  }
  tried_.push_back(pool_);
  upstream::Connection* connection = nullptr;
  switch (pool_->new_stream(*this, connection)) {
    case upstream::EndpointPool::Outcome::attached:
      on_connection_ready(*connection);
      break;
    case upstream::EndpointPool::Outcome::pending:
      break;
    case upstream::EndpointPool::Outcome::pending_overflow:
      worker_.telemetry().on_limit_reject(service_id(), telemetry::LimitKind::pending);
      pool_ = nullptr;  // as Envoy logs it: refused before there was an endpoint
      on_attempt_reset(ResetReason::overflow, 0, false);
      break;
    case upstream::EndpointPool::Outcome::requests_overflow:
      worker_.telemetry().on_limit_reject(service_id(), telemetry::LimitKind::requests);
      on_attempt_reset(ResetReason::overflow, 0, false);
      break;
  }
}

void Request::on_connection_ready(upstream::Connection& connection) {
  connection_ = &connection;
  upstream_local_ = connection.local_address();
  pool_->shared().active_requests.fetch_add(1, std::memory_order_relaxed);
  is_active_ = true;
  attempt_started_ = now();
  if (stage_ == Stage::tunnel) {
    send_body(kept_body_, false);
    forget_kept_body();
    if (downstream_ended_ && connection_ != nullptr) connection_->shutdown_send();
    downstream_->resume_reading();
    return;
  }
  stage_ = Stage::sent;
  partial_response_.reset();
  response_body_ = {};
  send_request();
}

void Request::send_request() {
  const base::TimePoint sent_at = now();
  std::int64_t expected_ms = 0;
  const auto& per_try = route_->retry.per_try_timeout;
  if (per_try || timeout_) {
    expected_ms = (per_try ? *per_try : *timeout_).count();
    if (timeout_) {
      const auto elapsed = is_complete_ ? std::chrono::duration_cast<config::Milliseconds>(sent_at - complete_at_)
                                        : config::Milliseconds{0};
      expected_ms = std::max<std::int64_t>(1, std::min(expected_ms, (*timeout_ - elapsed).count()));
    }
  }
  std::string& head = worker_.context().head;
  head.clear();
  http1::append_request_head(head, bytes(), head_,
                             {.method = bytes().substr(0, head_.method_size),
                              .path = target_.path,
                              .host = authority_,
                              .request_id = request_id_,
                              .decorator_operation = route_->decorator_operation,
                              .attempt = attempts_,
                              .expected_timeout_ms = expected_ms,
                              .sets_grpc_timeout = is_grpc_,
                              .keeps_upgrade = is_websocket_});
  WireParts wire;
  wire.add(head);
  wire.add_payload(kept_body_, head_.body == BodyKind::chunked, is_complete_);
  attempt_request_bytes_ = wire.size();
  if (connection_->send_request(wire.parts(), is_complete_) == engine::IoStatus::failed) {
    on_request_not_sent();
    return;
  }
  const bool is_held = connection_->is_request_held();
  if (may_retry_ || is_held) count_kept_body();
  if (!may_retry_ && !is_held) forget_kept_body();
  if (is_complete_ && per_try) worker_.loop().timers().arm(per_try_timer_, sent_at + *per_try);
  if (!is_complete_) downstream_->resume_reading();
}

// Not a byte went out. A connection that had served before was closed by its endpoint while it was idle: the request
// cannot have been seen, so another connection is asked without counting a try (PERFORMANCE 3, rule 7).
void Request::on_request_not_sent() {
  if (connection_->requests_served() > 1) {
    per_try_timer_.cancel();
    pool_->shared().active_requests.fetch_sub(1, std::memory_order_relaxed);
    is_active_ = false;
    drop_connection();
    --attempts_;
    tried_.pop_back();
    // Not at once: more idle connections may have ended with it, and the loop has yet to hear of them.
    stage_ = Stage::backoff;
    worker_.loop().timers().arm(wait_timer_, now());
    return;
  }
  pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());
  end_attempt(AttemptOutcome::reset, 503, telemetry::kUpstreamConnectionTermination);
  drop_connection();
  on_attempt_reset(ResetReason::connection_termination, 0, false);
}

void Request::send_body(std::string_view payload, bool is_last) {
  WireParts wire;
  wire.add_payload(payload, stage_ != Stage::tunnel && head_.body == BodyKind::chunked, is_last);
  attempt_request_bytes_ += wire.size();
  // A failure shows as the end of the connection as well, together with what the endpoint said before it closed.
  if (!wire.is_empty()) connection_->send(wire.parts());
}

void Request::on_upstream_writable() { downstream_->resume_reading(); }

void Request::on_connection_failed(const upstream::Failure& failure) {
  if (stage_ == Stage::tunnel) {
    details_ = "";
    flags_ |= reset_text(failure.reason).flag;
    if (failure.error_number != 0) upstream_failure_ = connect_error_text(failure.error_number);
    record(0);
    finish(CloseMode::at_once);
    return;
  }
  if (failure.reason == ResetReason::overflow) {
    worker_.telemetry().on_limit_reject(service_id(), telemetry::LimitKind::requests);
  } else {
    const bool is_timeout = failure.reason == ResetReason::connect_timeout;
    pool_->backend().on_local(pool_->shared(),
                              is_timeout ? LocalOutcome::connect_timeout : LocalOutcome::connect_failure, now());
    if (is_timeout) worker_.telemetry().on_timeout(service_id(), telemetry::TimeoutKind::connect);
  }
  on_attempt_reset(failure.reason, failure.error_number, false);
}

void Request::on_attempt_reset(ResetReason reason, int error_number, bool any_byte_sent) {
  if (reason == ResetReason::overflow) {
    end_attempt(AttemptOutcome::refused_by_limit, 0, 0);
  } else if (reason == ResetReason::connect_failure || reason == ResetReason::connect_timeout) {
    end_attempt(AttemptOutcome::connect_failure, 0, 0);
  }
  if (may_retry_ && policy::wants_retry(route_->retry, reason, any_byte_sent) && schedule_retry()) return;
  if (reason == ResetReason::per_try_timeout) {
    reply_timeout("upstream_per_try_timeout");
  } else {
    reply_reset(reason, error_number);
  }
}

bool Request::schedule_retry() {
  retry_permit_.release();
  if (!retry_.take()) {
    flags_ |= telemetry::kUpstreamRetryLimitExceeded;
    worker_.telemetry().on_retry(service_id(), telemetry::RetryOutcome::limit);
    return false;
  }
  policy::Limits& limits = backend_->shared().limits;
  const config::BackendPolicy& policy = backend_->config().policy;
  if (!limits.retries.try_acquire(policy::allowed_retries(policy, limits))) {
    flags_ |= telemetry::kUpstreamOverflow;
    ++backend_->shared().retry_overflow;
    worker_.telemetry().on_limit_reject(service_id(), telemetry::LimitKind::retries);
    worker_.telemetry().on_retry(
        service_id(), policy.retry_budget ? telemetry::RetryOutcome::budget : telemetry::RetryOutcome::limit);
    return false;
  }
  retry_permit_ = policy::Permit(limits.retries);
  stage_ = Stage::backoff;
  worker_.loop().timers().arm(wait_timer_, now() + retry_.next_backoff(worker_.context().random));
  return true;
}

void Request::on_wait_over(base::TimePoint) {
  switch (stage_) {
    case Stage::fault_delay:
      enter_router();
      break;
    case Stage::backoff:
      start_attempt();
      break;
    case Stage::replying:
      send_late_reply();
      return;
    default:  // a tunnel
      look_after_tunnel();
      return;
  }
  downstream_->resume_reading();
}

void Request::on_per_try_timeout(base::TimePoint) {
  worker_.telemetry().on_timeout(service_id(), telemetry::TimeoutKind::per_try);
  pool_->backend().on_local(pool_->shared(), LocalOutcome::request_timeout, now());
  end_attempt(AttemptOutcome::timeout, 0, telemetry::kDownstreamConnectionTermination);
  drop_connection();
  on_attempt_reset(ResetReason::per_try_timeout, 0, true);
}

void Request::on_route_timeout(base::TimePoint) {
  worker_.telemetry().on_timeout(service_id(), telemetry::TimeoutKind::request);
  if (stage_ == Stage::responding) {
    cut_response(telemetry::kUpstreamRequestTimeout, "response_timeout");
    return;
  }
  if (stage_ == Stage::sent) {
    pool_->backend().on_local(pool_->shared(), LocalOutcome::request_timeout, now());
    end_attempt(AttemptOutcome::timeout, 0, telemetry::kDownstreamConnectionTermination);
  } else if (stage_ == Stage::backoff) {
    worker_.telemetry().on_retry(service_id(), telemetry::RetryOutcome::deadline);
  }
  drop_connection();
  reply_timeout("response_timeout");
}

// Leaves the connection or the queue for one, whichever it is in.
void Request::drop_connection() {
  if (connection_ != nullptr) {
    std::exchange(connection_, nullptr)->abort();
  } else if (is_linked()) {
    pool_->cancel_pending(*this);
  }
}

void Request::end_attempt(AttemptOutcome outcome, std::uint16_t status, std::uint32_t flags) {
  per_try_timer_.cancel();
  const bool was_sent = is_active_;
  if (is_active_) pool_->shared().active_requests.fetch_sub(1, std::memory_order_relaxed);
  is_active_ = false;
  if (attempts_ > 1) {
    worker_.telemetry().on_retry(service_id(), outcome == AttemptOutcome::success ? telemetry::RetryOutcome::success
                                                                                  : telemetry::RetryOutcome::failure);
  }
  if (workload_ == nullptr) return;
  worker_.telemetry().on_attempt(
      {.config = pinned_->snapshot->config.get(),
       .pod = &source_->pod(),
       .source = &workload_->identity,
       .service = service_,
       .endpoint = is_passthrough_ || outcome == AttemptOutcome::refused_by_limit ? nullptr : &pool_->endpoint(),
       .outcome = outcome,
       .was_sent = was_sent,
       .is_passthrough = is_passthrough_,
       .is_grpc = is_grpc_,
       .response_code = status,
       .grpc_status = grpc_status_,
       .flags = flags,
       .authority = authority_,
       .duration = now() - attempt_started_,
       .request_wire_bytes = attempt_request_bytes_,
       .response_wire_bytes = attempt_response_bytes_});
}

}  // namespace proxy
