#include "proxy/listener/downstream.h"
#include "proxy/policy/route_match.h"
#include "proxy/request/request.h"
#include "proxy/worker.h"

// Bytes both ways: after an Upgrade, and for callers that do not speak HTTP.
namespace proxy {

using telemetry::AttemptOutcome;

upstream::User::Progress Request::begin_tunnel(std::string_view rest, std::size_t head_size) {
  std::string& head = worker_.context().head;
  head.clear();
  http1::append_response_head(head, rest, response_,
                              {.server = worker_.settings().server_header,
                               .date = worker_.http_date(),
                               .upstream_service_time_ms = -1,
                               .keeps_upgrade = true});
  status_ = 101;
  pool_->backend().on_response(pool_->shared(), status_, now());
  details_ = "via_upstream";
  route_timer_.cancel();
  per_try_timer_.cancel();
  retry_permit_.release();
  stage_ = Stage::tunnel;
  send_downstream(head);
  send_downstream(rest.substr(head_size));
  downstream_->resume_reading();
  return {rest.size(), Next::more};
}

// Where the caller was going. The address of a service need not belong to anybody, so then it is one of its endpoints.
base::SocketAddress Request::tcp_target() {
  const base::SocketAddress& original = downstream_->original_destination();
  const bool is_virtual = service_ != nullptr && !service_->is_headless;
  if (downstream_->passthrough() != original || workload_ == nullptr || !is_virtual) {
    return downstream_->passthrough();
  }
  const Snapshot& snapshot = *pinned_->snapshot;
  const policy::RouteTable::Host* const host = snapshot.routes_of(*workload_).find_host(original.port, service_->host);
  const config::Route* const last = host == nullptr ? nullptr : policy::RouteTable::last_route(*host);
  if (last == nullptr || last->destinations.empty()) return original;
  const config::Destination& destination = policy::pick_destination(*last, worker_.context().random);
  if (destination.backend == config::Destination::kUnknownBackend) return original;
  const auto& endpoints = snapshot.config->backends[destination.backend].endpoints;
  if (endpoints.empty()) return original;
  return endpoints[worker_.context().random.below(endpoints.size())].address;
}

void Request::begin_tcp(Downstream& downstream) {
  reset(downstream);
  is_tcp_ = true;
  is_passthrough_ = true;
  is_complete_ = true;
  route_ = &passthrough_route();
  stage_ = Stage::tunnel;
  attempts_ = 1;
  worker_.telemetry().on_tcp_opened(tcp_record());
  tunnel_moved_at_ = now();
  look_after_tunnel();
  backend_ = &source_->tcp_passthrough(tcp_target());
  pool_ = backend_->pick({});  // there is exactly one, and nothing ejects it
  upstream::Connection* connection = nullptr;
  switch (pool_->new_stream(*this, connection)) {
    case upstream::EndpointPool::Outcome::attached:
      on_connection_ready(*connection);
      break;
    case upstream::EndpointPool::Outcome::pending:
      break;
    case upstream::EndpointPool::Outcome::pending_overflow:
    case upstream::EndpointPool::Outcome::requests_overflow:
      flags_ |= telemetry::kUpstreamOverflow;
      record(0);
      finish(CloseMode::at_once);
      break;
  }
}

telemetry::TcpRecord Request::tcp_record() const {
  return {.config = pinned_->snapshot->config.get(),
          .pod = &source_->pod(),
          .source = workload_ == nullptr ? nullptr : &workload_->identity,
          .service = service_,
          .endpoint = nullptr,
          .flags = flags_};
}

// Sent is towards the caller, at both reporters.
void Request::report_tunnel_bytes() {
  worker_.telemetry().on_tcp_bytes(tcp_record(), response_body_bytes_ - reported_sent_,
                                   request_body_bytes_ - reported_received_);
  reported_sent_ = response_body_bytes_;
  reported_received_ = request_body_bytes_;
}

// A tunnel has no end of its own to wait for. One through which nothing goes is over, as in Envoy's TCP proxy; both
// sides may have gone without a word.
void Request::look_after_tunnel() {
  report_tunnel_bytes();
  const config::Milliseconds idle = worker_.settings().downstream_idle_timeout;
  if (now() - tunnel_moved_at_ >= idle) {
    if (is_active_) end_attempt(AttemptOutcome::success, status_, 0);
    drop_connection();
    record(status_);
    finish(CloseMode::at_once);
    return;
  }
  worker_.loop().timers().arm(wait_timer_, now() + std::min<config::Milliseconds>(kTunnelReportInterval, idle));
}

void Request::on_tunnel_data(std::string_view data) {
  request_body_bytes_ += data.size();
  tunnel_moved_at_ = now();
  if (connection_ == nullptr) {
    kept_body_.append(data);
    count_kept_body();
    return;
  }
  send_body(data, false);
}

void Request::on_tunnel_end() {
  if (!is_tcp_) {
    on_downstream_gone();
    return;
  }
  downstream_ended_ = true;
  if (connection_ != nullptr) connection_->shutdown_send();
  if (!upstream_ended_) return;
  end_attempt(AttemptOutcome::success, status_, 0);
  drop_connection();
  record(status_);
  finish(CloseMode::at_once);
}

}  // namespace proxy
