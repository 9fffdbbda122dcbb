#include "proxy/request/request.h"

#include <cerrno>

#include "proxy/listener/downstream.h"
#include "proxy/policy/fault.h"
#include "proxy/policy/route_match.h"
#include "proxy/request/local_replies.h"
#include "proxy/request/request_id.h"
#include "proxy/request/route_input.h"
#include "proxy/worker.h"

namespace proxy {
namespace {

using http1::BodyKind;
using http1::HeaderId;
using telemetry::AttemptOutcome;

// Content types that get gRPC's form of a local reply (SEMANTICS 2.5); case-sensitive.
bool is_grpc_content_type(std::string_view value) {
  constexpr std::string_view kGrpc = "application/grpc";
  return value.starts_with(kGrpc) && (value.size() == kGrpc.size() || value[kGrpc.size()] == '+');
}

}  // namespace

const config::Route& Request::passthrough_route() {
  static const config::Route route = [] {
    config::Route made;
    made.name = "allow_any";
    made.retry.max_retries = 0;
    return made;
  }();
  return route;
}

Request::Request(Worker& worker)
    : worker_(worker),
      route_timer_(engine::Timer::calling<&Request::on_route_timeout>(*this)),
      per_try_timer_(engine::Timer::calling<&Request::on_per_try_timeout>(*this)),
      wait_timer_(engine::Timer::calling<&Request::on_wait_over>(*this)) {}

base::TimePoint Request::now() const { return worker_.loop().now(); }

std::string_view Request::header(HeaderId id) const {
  const http1::Header* found = head_.find(id);
  return found == nullptr ? std::string_view() : http1::value_of(bytes(), *found);
}

void Request::reset(Downstream& downstream) {
  downstream_ = &downstream;
  pinned_ = &worker_.pin();
  source_ = &downstream.source();
  workload_ = source_->workload(*pinned_->snapshot);
  service_ = pinned_->snapshot->service_of(downstream.original_destination());
  started_at_ = now();
  started_wall_ = worker_.loop().wall_now();
}

void Request::begin(Downstream& downstream, std::string_view bytes, std::string_view payload, bool is_complete) {
  reset(downstream);
  head_bytes_.assign(bytes);
  is_complete_ = is_complete;
  request_body_bytes_ = payload.size();
  request_wire_bytes_ = bytes.size() + payload.size();
  is_beginning_ = true;
  answers_head_ = head_.body == BodyKind::chunked || (head_.body == BodyKind::length && head_.content_length != 0);
  if (!count_head()) {
    reply_overloaded(head_bytes_.size());
    return;
  }
  if (!validate() || !choose_route()) return;
  kept_body_.assign(payload);
  inject_fault();
  is_beginning_ = answers_head_ = false;
  if (stage_ != Stage::done && connection_ == nullptr) count_kept_body();
}

bool Request::count_head() {
  const std::size_t size = head_bytes_.size();
  if (size <= kOrdinaryHeadBytes) return true;
  if (!source_->buffered().has_room(size)) return false;
  source_->buffered().add(size);
  counted_head_ = size;
  return true;
}

bool Request::validate() {
  const std::string_view method = bytes().substr(0, head_.method_size);
  const std::string_view raw_target = bytes().substr(head_.target_offset, head_.target_size);
  is_grpc_ = is_grpc_content_type(header(HeaderId::content_type));
  authority_ = header(HeaderId::authority_host);

  switch (http1::normalize_target(method, raw_target, target_storage_, target_)) {
    case http1::TargetError::none:
      break;
    case http1::TargetError::invalid_url:
      reply_locally({.status = 400,
                     .body = "Bad Request",
                     .flags = telemetry::kDownstreamProtocolError,
                     .details = "http1.invalid_url"});
      return false;
    case http1::TargetError::invalid_scheme:
      reply_locally({.status = 400,
                     .body = "Bad Request",
                     .flags = telemetry::kDownstreamProtocolError,
                     .details = "http1.invalid_scheme"});
      return false;
    case http1::TargetError::path_normalization_failed:
      reply_locally({.status = 400, .details = "path_normalization_failed"});
      return false;
    case http1::TargetError::absolute_path_rejected:
      reply_locally({.status = 404, .details = "absolute_path_rejected"});
      return false;
  }
  if (!target_.authority.empty()) authority_ = target_.authority;
  if (target_.authority.empty() && head_.find(HeaderId::authority_host) == nullptr && head_.minor_version != 0) {
    reply_locally({.status = 400, .details = "missing_host_header"});
    return false;
  }
  is_websocket_ = head_.has_upgrade && head_.is_websocket_upgrade;
  if (head_.has_upgrade && !is_websocket_) {
    reply_locally({.status = 403, .details = "upgrade_failed"});
    return false;
  }
  if (!has_request_id(bytes(), head_)) make_request_id(worker_.context().random, request_id_);
  return true;
}

bool Request::choose_route() {
  // Envoy's routes need to know the scheme, and only a route for CONNECT takes CONNECT: nobody can write one.
  const http1::Header* const forwarded_proto = head_.find(HeaderId::forwarded_proto);
  const bool has_no_scheme = forwarded_proto != nullptr && header(HeaderId::forwarded_proto).empty();
  const bool is_connect = bytes().substr(0, head_.method_size) == "CONNECT";
  if (has_no_scheme || is_connect) {
    answers_head_ |= is_connect;  // what follows may be anything
    reply_locally({.status = 404, .flags = telemetry::kNoRouteFound, .details = "route_not_found"});
    return false;
  }
  const Snapshot& snapshot = *pinned_->snapshot;
  const std::uint16_t port = downstream_->original_destination().port;
  const policy::RouteTable* table = workload_ == nullptr ? nullptr : &snapshot.routes_of(*workload_);
  const policy::RouteTable::Host* host = table == nullptr ? nullptr : table->find_host(port, authority_);

  if (host == nullptr) {
    if (table != nullptr && table->unknown_hosts() == config::UnknownHostPolicy::registry_only) {
      reply_locally({.status = 502, .details = "direct_response"});
      return false;
    }
    is_passthrough_ = true;
    service_ = nullptr;
    route_ = &passthrough_route();
    backend_ = &source_->passthrough(downstream_->passthrough());
    return true;
  }

  const RouteInput input(bytes(), head_, target_, authority_, request_id_);
  route_ = policy::RouteTable::match(*host, input);
  if (route_ == nullptr) {
    reply_locally({.status = 404, .flags = telemetry::kNoRouteFound, .details = "route_not_found"});
    return false;
  }
  if (route_->direct_response) {
    reply_locally({.status = route_->direct_response->status,
                   .body = route_->direct_response->body,
                   .details = "direct_response"});
    return false;
  }
  const config::Destination& destination = policy::pick_destination(*route_, worker_.context().random);
  limit_time();
  if (destination.backend == config::Destination::kUnknownBackend) return true;  // faults come first
  backend_ = &source_->backend(pinned_->snapshot, destination.backend);
  const config::Service* const chosen =
      &snapshot.config->services[snapshot.config->backends[destination.backend].service];
  keeps_endpoint_ = chosen->is_headless && chosen == service_;
  service_ = chosen;
  return true;
}

void Request::limit_time() {
  timeout_ = route_->timeout;
  if (!is_grpc_) return;
  const auto asked = http1::parse_grpc_timeout(header(HeaderId::grpc_timeout));
  if (asked && (!timeout_ || *asked < *timeout_)) timeout_ = asked;
}

void Request::inject_fault() {
  fault_ = policy::roll_fault(route_->fault, worker_.context().random);
  if (fault_.delay.count() > 0) {
    flags_ |= telemetry::kDelayInjected;
    worker_.telemetry().on_fault(service_id(), telemetry::FaultKind::delay);
    stage_ = Stage::fault_delay;
    worker_.loop().timers().arm(wait_timer_, now() + fault_.delay);
    return;
  }
  enter_router();
}

void Request::enter_router() {
  if (fault_.abort_status != 0) {
    worker_.telemetry().on_fault(service_id(), telemetry::FaultKind::abort);
    reply_locally({.status = fault_.abort_status,
                   .body = "fault filter abort",
                   .flags = telemetry::kFaultInjected,
                   .details = "fault_filter_abort",
                   .grpc_status = fault_.abort_grpc_status});
    return;
  }
  if (backend_ == nullptr) {
    reply_locally({.status = 503, .flags = telemetry::kNoClusterFound, .details = "cluster_not_found"});
    return;
  }
  retry_ = policy::RetryState(route_->retry);
  may_retry_ = route_->retry.max_retries > 0;
  if (is_complete_) start_timeout_clock();
  if (stage_ != Stage::done) start_attempt();
}

// The timeout counts from the moment the whole request is here (SEMANTICS 2.3).
void Request::start_timeout_clock() {
  complete_at_ = now();
  if (timeout_) worker_.loop().timers().arm(route_timer_, complete_at_ + *timeout_);
}

void Request::on_body(std::string_view payload, std::uint64_t wire_bytes, bool is_complete) {
  if (stage_ == Stage::done) return;
  request_body_bytes_ += payload.size();
  request_wire_bytes_ += wire_bytes;
  is_complete_ = is_complete;
  if (stage_ == Stage::replying) {
    if (is_complete_ && late_reply_) send_late_reply();
    return;
  }
  const bool is_routed = stage_ != Stage::fault_delay;
  if (is_complete && is_routed) start_timeout_clock();

  if (connection_ != nullptr) {
    if (may_retry_ && stage_ == Stage::sent) keep_for_retry(payload);
    send_body(payload, is_complete);
    if (is_complete && stage_ == Stage::sent && route_->retry.per_try_timeout) {
      worker_.loop().timers().arm(per_try_timer_, now() + *route_->retry.per_try_timeout);
    }
    return;
  }
  kept_body_.append(payload);
  count_kept_body();
  if (!is_routed) return;
  const config::ProxySettings& settings = worker_.settings();
  if (may_retry_ && kept_body_.size() > settings.retry_buffer_bytes) {
    may_retry_ = false;
    if (stage_ == Stage::backoff) {
      reply_locally({.status = 507,
                     .body = "exceeded request buffer limit while retrying upstream",
                     .details = "request_payload_exceeded_retry_buffer_limit"});
    }
  }
}

bool Request::wants_body() const {
  const config::ProxySettings& settings = worker_.settings();
  const std::size_t most = source_->buffered().share_of(settings.stream_buffer_bytes);
  if (connection_ != nullptr) return connection_->queued_bytes() < most;
  return kept_body_.size() < (may_retry_ ? settings.retry_buffer_bytes + 1 : most);
}

void Request::keep_for_retry(std::string_view payload) {
  const config::ProxySettings& settings = worker_.settings();
  if (kept_body_.size() + payload.size() > settings.retry_buffer_bytes) {
    give_up_retries();
    return;
  }
  kept_body_.append(payload);
  count_kept_body();
  if (!may_retry_) forget_kept_body();
}

void Request::count_kept_body() {
  if (kept_body_.size() <= counted_body_) return;
  const std::uint64_t more = kept_body_.size() - counted_body_;
  may_retry_ = may_retry_ && source_->buffered().has_room(more);
  source_->buffered().add(more);
  counted_body_ += more;
}

void Request::forget_kept_body() {
  kept_body_.clear();
  if (counted_body_ != 0) source_->buffered().remove(std::exchange(counted_body_, 0));
}

void Request::give_up_retries() {
  may_retry_ = false;
  forget_kept_body();
}

void Request::on_downstream_gone() {
  if (stage_ == Stage::done) return;
  flags_ |= is_tcp_ ? 0 : telemetry::kDownstreamConnectionTermination;
  details_ = is_tcp_ ? "" : "downstream_remote_disconnect";
  const bool has_answered = stage_ == Stage::responding || stage_ == Stage::tunnel;
  if (is_active_) {
    end_attempt(AttemptOutcome::reset, 0, telemetry::kDownstreamConnectionTermination);
  }
  drop_connection();
  record(has_answered ? status_ : 0);
  finish(CloseMode::reset);
}

void Request::on_downstream_writable() {
  if (connection_ != nullptr) connection_->resume_reading();
}

void Request::record(std::uint16_t status) {
  if (is_tcp_) {
    report_tunnel_bytes();
    worker_.telemetry().on_tcp_closed(tcp_record());
  }
  const http1::Header* user_agent = head_.find(HeaderId::user_agent);
  const http1::Header* forwarded_for = head_.find(HeaderId::forwarded_for);
  telemetry::RequestRecord entry;
  entry.config = pinned_->snapshot->config.get();
  entry.pod = &source_->pod();
  entry.source = workload_ == nullptr ? nullptr : &workload_->identity;
  entry.service = service_;
  entry.backend = backend_ == nullptr ? nullptr : &backend_->config();
  entry.endpoint = pool_ == nullptr ? nullptr : &pool_->endpoint();
  entry.route = route_;
  entry.is_passthrough = is_passthrough_;
  entry.is_grpc = is_grpc_;
  entry.response_code = status;
  entry.grpc_status = grpc_status_;
  entry.flags = flags_;
  entry.details = details_;
  entry.upstream_failure = upstream_failure_;
  if (!is_tcp_ && head_.size != 0) {
    entry.method = bytes().substr(0, head_.method_size);
    entry.path = target_.path;
    entry.protocol = head_.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
    entry.authority = authority_;
    entry.request_id = request_id_.empty() ? header(HeaderId::request_id) : std::string_view(request_id_);
    entry.user_agent = user_agent == nullptr ? "" : http1::value_of(bytes(), *user_agent);
    entry.forwarded_for = forwarded_for == nullptr ? "" : http1::value_of(bytes(), *forwarded_for);
  }
  entry.upstream_local = upstream_local_;
  entry.downstream_local = downstream_->original_destination();
  entry.downstream_remote = downstream_->peer();
  entry.start_time = started_wall_;
  entry.duration = base::now() - started_at_;
  entry.upstream_service_time_ms = service_time_ms_;
  entry.request_body_bytes = request_body_bytes_;
  entry.response_body_bytes = response_body_bytes_;
  entry.request_wire_bytes = request_wire_bytes_;
  entry.response_wire_bytes = response_wire_bytes_;
  entry.attempts = attempts_;
  if (!is_tcp_) worker_.telemetry().on_request(entry);
  worker_.log(entry);
}

void Request::finish(CloseMode close) {
  if (stage_ == Stage::done) return;
  drop_connection();
  use_service();
  if (is_active_) pool_->shared().active_requests.fetch_sub(1, std::memory_order_relaxed);
  is_active_ = false;
  stage_ = Stage::done;
  route_timer_.cancel();
  per_try_timer_.cancel();
  wait_timer_.cancel();
  retry_permit_.release();
  if (counted_body_ != 0) source_->buffered().remove(std::exchange(counted_body_, 0));
  if (counted_head_ != 0) source_->buffered().remove(std::exchange(counted_head_, 0));
  worker_.loop().defer_to_end_of_turn(*this);
  downstream_->on_request_over(close);
}

void Request::use_service() {
  if (service_ != nullptr) pinned_->use(*service_);
}

// Ready for the next one; capacities stay.
void Request::run_deferred(When) {
  worker_.unpin(*std::exchange(pinned_, nullptr));
  downstream_ = nullptr;
  source_ = nullptr;
  workload_ = nullptr;
  service_ = nullptr;
  route_ = nullptr;
  timeout_.reset();
  backend_ = nullptr;
  pool_ = nullptr;
  connection_ = nullptr;
  tried_.clear();
  head_.size = 0;
  head_.method_size = 0;
  head_.minor_version = 1;
  head_.is_head_method = head_.is_open_ended = false;
  head_.is_keep_alive = true;
  head_.first_of.fill(0);
  head_.header_count = 0;
  head_bytes_.clear();
  if (head_bytes_.capacity() > kMaxHeadCapacity) head_bytes_.shrink_to_fit();
  target_ = {};
  authority_ = {};
  request_id_.clear();
  late_reply_.reset();
  kept_body_.clear();
  if (kept_body_.capacity() > kMaxKeptCapacity) kept_body_.shrink_to_fit();
  details_.clear();
  upstream_failure_.clear();
  upstream_local_ = {};
  complete_at_ = {};
  is_complete_ = is_grpc_ = is_websocket_ = is_passthrough_ = is_tcp_ = may_retry_ = keeps_endpoint_ = false;
  is_beginning_ = answers_head_ = has_informed_ = false;
  response_is_chunked_ = closes_downstream_ = downstream_ended_ = upstream_ended_ = false;
  attempts_ = flags_ = 0;
  status_ = 0;
  service_time_ms_ = -1;
  grpc_status_ = -1;
  reported_received_ = reported_sent_ = 0;
  request_body_bytes_ = response_body_bytes_ = request_wire_bytes_ = response_wire_bytes_ = 0;
  stage_ = Stage::idle;
  worker_.recycle(*this);
}

}  // namespace proxy
