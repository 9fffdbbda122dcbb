#include <charconv>

#include "proxy/listener/downstream.h"
#include "proxy/request/local_replies.h"
#include "proxy/request/request.h"
#include "proxy/request/wire_parts.h"
#include "proxy/worker.h"

// What goes back to the caller: the endpoint's response, or a reply of our own.
namespace proxy {

using http1::BodyKind;
using http1::HeaderId;
using policy::LocalOutcome;
using policy::ResetReason;
using telemetry::AttemptOutcome;

namespace {

std::string_view rejection_text(std::uint16_t status) {
  return status == 431 ? "Request Header Fields Too Large" : status == 501 ? "Not Implemented" : "Bad Request";
}

// -1: none, or no number.
std::int32_t parse_grpc_status(std::string_view text) {
  std::int32_t status = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  return error == std::errc{} && end == text.data() + text.size() && status >= 0 ? status : -1;
}

}  // namespace

bool Request::wants_upstream_data() const {
  return downstream_->queued_bytes() < source_->buffered().share_of(worker_.settings().stream_buffer_bytes);
}

upstream::User::Progress Request::on_upstream_data(char* data, std::size_t size) {
  if (stage_ == Stage::tunnel) {
    response_body_bytes_ += size;
    attempt_response_bytes_ += size;
    tunnel_moved_at_ = now();
    send_downstream({data, size});
    return {size, Next::more};
  }
  if (stage_ == Stage::responding) return on_response_body(data, size, 0, false);

  std::size_t used = 0;
  for (;;) {
    const config::ProxySettings& settings = worker_.settings();
    const http1::HeadLimits limits{.max_bytes = settings.max_response_head_bytes, .max_headers = settings.max_headers};
    const std::string_view rest(data + used, size - used);
    if (!partial_response_.has_news(rest, limits)) return {used, Next::more};
    const http1::ParseResult parsed = http1::parse_response_head(rest, limits, head_.is_head_method, response_);
    if (parsed.status == http1::ParseStatus::incomplete) return {used, Next::more};
    partial_response_.reset();
    if (parsed.status == http1::ParseStatus::error) {
      pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());
      end_attempt(AttemptOutcome::reset, 503, telemetry::kUpstreamConnectionTermination);
      connection_ = nullptr;
      on_attempt_reset(ResetReason::protocol_error, 0, true);
      return {size, Next::close};
    }
    if (response_.status == 101) {
      if (is_websocket_) return begin_tunnel(rest, response_.size);
      break;  // passed on as it is; the connection is of no more use
    }
    if (response_.status >= 200) break;
    const Progress progress = relay_informational(data + used, response_.size);
    used += progress.used;
  }
  return on_response_head(data, size, used);
}

// As Envoy: 100, 102, 103 and 104, and of all of them only the first.
upstream::User::Progress Request::relay_informational(const char* data, std::size_t head_size) {
  const bool is_known = response_.status == 100 || (response_.status >= 102 && response_.status <= 104);
  if (!is_known || has_informed_) return {head_size, Next::more};
  has_informed_ = true;
  give_up_retries();               // the caller has heard from this endpoint
  if (head_.minor_version != 0) {  // RFC 9110 15.2: never to an HTTP/1.0 caller
    std::string& head = worker_.context().head;
    head.clear();
    http1::append_informational_head(head, {data, head_size}, response_);
    send_downstream(head);
  }
  return {head_size, Next::more};
}

upstream::User::Progress Request::on_response_head(char* data, std::size_t size, std::size_t head_at) {
  const std::string_view head_bytes(data + head_at, response_.size);
  const auto value = [&](HeaderId id) {
    const http1::Header* found = response_.find(id);
    return found == nullptr ? std::string_view() : http1::value_of(head_bytes, *found);
  };
  status_ = response_.status;
  grpc_status_ = parse_grpc_status(value(HeaderId::grpc_status));
  per_try_timer_.cancel();
  pool_->backend().on_response(pool_->shared(), status_, now());

  const policy::ResponseFacts facts{
      .status = status_,
      .grpc_status = grpc_status_ >= 0 ? std::optional<std::uint32_t>(grpc_status_) : std::nullopt,
      .is_ratelimited = response_.find(HeaderId::envoy_ratelimited) != nullptr};
  const bool has_body =
      response_.body != BodyKind::none && !(response_.body == BodyKind::length && response_.content_length == 0);
  if (may_retry_ && policy::wants_retry(route_->retry, facts)) {
    const std::uint16_t answered = status_;
    if (schedule_retry()) {
      attempt_response_bytes_ += response_.size;
      end_attempt(answered >= 500 ? AttemptOutcome::error : AttemptOutcome::success, answered, 0);
      connection_ = nullptr;
      // A body still on its way would have to be read first; as Envoy, give the connection up instead.
      const bool is_reusable = !has_body && response_.is_keep_alive && is_complete_;
      return {head_at + response_.size, is_reusable ? Next::release : Next::close};
    }
  }
  retry_permit_.release();
  if (complete_at_ != base::TimePoint{} && !head_.is_open_ended) {
    service_time_ms_ = std::chrono::duration_cast<config::Milliseconds>(now() - complete_at_).count();
  }
  stage_ = Stage::responding;
  if (counted_body_ != 0 || !kept_body_.empty()) give_up_retries();
  if (details_.empty()) details_ = "via_upstream";
  if (is_websocket_ && status_ != 101) refuse_upgrade();
  response_body_.start(response_.status == 101 ? BodyKind::none : response_.body, response_.content_length);
  return on_response_body(data, size, head_at, true);
}

// What is no error is no answer to an Upgrade either: the caller gets to know the status, and that is all.
void Request::refuse_upgrade() {
  if (status_ >= 400) return;
  details_ = "websocket_handshake_unsuccessful";
  response_.body = BodyKind::none;
}

upstream::User::Progress Request::on_response_body(char* data, std::size_t size, std::size_t used, bool with_head) {
  std::string& head = worker_.context().head;
  head.clear();
  const bool to_http10 = head_.minor_version == 0;
  if (with_head) {
    const std::string_view head_bytes(data + used, response_.size);
    const bool is_framed_by_length = response_.find(HeaderId::content_length) != nullptr;
    const bool may_have_body = status_ != 101 && status_ != 204 && status_ != 304;
    response_is_chunked_ = response_.body == BodyKind::chunked || response_.body == BodyKind::until_close;
    if (to_http10) response_is_chunked_ = false;
    const bool is_bodiless = is_websocket_ && status_ != 101 && status_ < 400;
    closes_downstream_ = !is_complete_ || head_.is_open_ended || !head_.is_keep_alive || worker_.is_draining() ||
                         status_ == 101 || (to_http10 && may_have_body && !is_framed_by_length);
    http1::append_response_head(head, head_bytes, response_,
                                {.server = worker_.settings().server_header,
                                 .date = worker_.http_date(),
                                 .upstream_service_time_ms = service_time_ms_,
                                 .closes = closes_downstream_ && status_ != 101,
                                 .is_chunked = response_is_chunked_ || (head_.is_head_method && may_have_body &&
                                                                        !is_framed_by_length && !to_http10),
                                 .to_http10 = to_http10,
                                 .is_bodiless = is_bodiless});
    used += response_.size;
    attempt_response_bytes_ += response_.size;
  }

  const http1::BodyDecoder::Step step = response_body_.decode(data + used, size - used);
  // As Envoy: what is next to an error is not passed on, unless the error is in what follows the payload.
  const std::size_t payload = step.is_error && !response_body_.has_whole_payload() ? 0 : step.payload;
  attempt_response_bytes_ += step.consumed;
  response_body_bytes_ += payload;
  const bool is_done = response_body_.is_done() && !step.is_error;

  WireParts wire;
  wire.add(head);
  wire.add_payload({data + used, payload}, response_is_chunked_, is_done);
  response_wire_bytes_ += wire.size();
  if (!wire.is_empty()) downstream_->send(wire.parts(), is_done ? close_mode() : CloseMode::keep);

  used += step.consumed;
  if (step.is_error) {
    connection_ = nullptr;
    pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());
    cut_response(telemetry::kUpstreamProtocolError, "upstream_reset_after_response_started{protocol_error}");
    return {size, Next::close};
  }
  if (!is_done) return {used, Next::more};
  const bool is_reusable = response_.is_keep_alive && is_complete_ && !head_.is_open_ended &&
                           response_.body != BodyKind::until_close && status_ != 101;
  connection_ = nullptr;
  finish_response();
  return {used, is_reusable ? Next::release : Next::close};
}

upstream::User::Next Request::on_upstream_end(int error_number) {
  if (stage_ == Stage::tunnel) {
    if (!is_tcp_) {  // Envoy: the one response of an Upgrade was cut
      connection_ = nullptr;
      pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());
      cut_response(telemetry::kUpstreamConnectionTermination,
                   "upstream_reset_after_response_started{connection_termination}");
      return Next::close;
    }
    upstream_ended_ = true;
    if (error_number == 0 && !downstream_ended_) {
      downstream_->shutdown_send();
      return Next::more;
    }
    connection_ = nullptr;
    end_attempt(AttemptOutcome::success, status_, 0);
    record(status_);
    finish(CloseMode::at_once);
    return Next::close;
  }
  connection_ = nullptr;
  if (stage_ == Stage::responding) {
    if (response_body_.finish_on_close()) {  // whether by FIN or by RST, as Envoy
      WireParts wire;
      wire.add_payload({}, response_is_chunked_, true);
      response_wire_bytes_ += wire.size();
      if (!wire.is_empty()) downstream_->send(wire.parts());
      finish_response();
    } else {
      pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());  // beside the status, which counted
      cut_response(telemetry::kUpstreamProtocolError, "upstream_reset_after_response_started{protocol_error}");
    }
    return Next::close;
  }
  pool_->backend().on_local(pool_->shared(), LocalOutcome::reset, now());
  end_attempt(AttemptOutcome::reset, 503, telemetry::kUpstreamConnectionTermination);
  // An end in the middle of a head is bad framing; before it, it is just an end.
  const bool is_cut = partial_response_.has_begun();
  on_attempt_reset(is_cut ? ResetReason::protocol_error : ResetReason::connection_termination, error_number, true);
  return Next::close;
}

void Request::finish_response() {
  end_attempt(status_ >= 500 ? AttemptOutcome::error : AttemptOutcome::success, status_, 0);
  record(status_);
  finish(close_mode());
}

CloseMode Request::close_mode() const {
  if (!closes_downstream_) return CloseMode::keep;
  const bool was_answered_in_full = is_complete_ && !head_.is_open_ended;
  return was_answered_in_full ? CloseMode::at_once : CloseMode::delayed;
}

void Request::reply_reset(ResetReason reason, int error_number) {
  const ResetText text = reset_text(reason);
  std::string body;
  append_reset_body(body, text.reason, attempts_ > 1);
  details_ = has_informed_ ? "upstream_reset_after_response_started{" : "upstream_reset_before_response_started{";
  details_ += text.detail;
  if (error_number != 0 && reason == ResetReason::connect_failure) {
    upstream_failure_ = connect_error_text(error_number);
    details_ += "|" + upstream_failure_;
  }
  details_ += "}";
  reply_locally({.status = text.status,
                 .body = body,
                 .flags = text.flag,
                 .details = details_,
                 .is_overloaded = reason == ResetReason::overflow});
}

void Request::reply_timeout(std::string_view details) {
  reply_locally({.status = 504,
                 .body = "upstream request timeout",
                 .flags = telemetry::kUpstreamRequestTimeout,
                 .details = details});
}

void Request::reply_locally(const LocalReply& reply) {
  if (!is_complete_ && !answers_head_) {
    stage_ = Stage::replying;
    downstream_->take_arrived();
    if (stage_ == Stage::done) return;  // the caller is gone
    if (!is_complete_) {
      put_off_reply(reply);
      return;
    }
  }
  send_local_reply(reply);
}

// Most callers write a head and its short body one after the other. A reply in between would cost them the connection.
void Request::put_off_reply(const LocalReply& reply) {
  if (is_active_) end_attempt(AttemptOutcome::reset, 0, telemetry::kDownstreamConnectionTermination);
  drop_connection();
  route_timer_.cancel();
  per_try_timer_.cancel();
  late_reply_.emplace(LateReply{reply, std::string(reply.body), std::string(reply.details)});
  worker_.loop().timers().arm(wait_timer_, now() + kRestOfRequestWait);
}

void Request::send_late_reply() {
  LateReply late = *std::exchange(late_reply_, std::nullopt);
  late.reply.body = late.body;
  late.reply.details = late.details;
  send_local_reply(late.reply);
}

void Request::send_local_reply(const LocalReply& reply) {
  status_ = reply.status;
  flags_ |= reply.flags;
  if (reply.details.data() != details_.data()) details_ = reply.details;
  const bool is_unfinished = !is_complete_ || answers_head_ || head_.is_open_ended;
  // As Envoy, a 400 of our own says that this caller cannot be understood: whatever it sends next is not waited for.
  closes_downstream_ = is_unfinished || reply.status == 400 || !head_.is_keep_alive || worker_.is_draining();
  std::string& head = worker_.context().head;
  head.clear();
  http1::append_local_reply(head,
                            {.status = reply.status,
                             .body = reply.body,
                             .is_overloaded = reply.is_overloaded,
                             .closes = closes_downstream_,
                             .is_head_request = head_.is_head_method,
                             .to_http10 = head_.minor_version == 0,
                             .is_grpc = is_grpc_,
                             .grpc_status = reply.grpc_status},
                            worker_.settings().server_header, worker_.http_date());
  response_body_bytes_ += head_.is_head_method || is_grpc_ ? 0 : reply.body.size();
  if (is_grpc_) {
    grpc_status_ = reply.grpc_status.value_or(http1::grpc_status_for(reply.status));
    status_ = 200;
  }
  send_downstream(head);
  record(status_);
  const bool lingers = is_unfinished || is_beginning_;
  finish(!closes_downstream_ ? CloseMode::keep : lingers ? CloseMode::delayed : CloseMode::at_once);
}

// The head has gone out and the rest will never come: the caller can only see it by the connection's end.
void Request::cut_response(std::uint32_t flags, std::string_view details) {
  flags_ |= flags;
  details_ = details;
  end_attempt(AttemptOutcome::reset, status_, telemetry::kUpstreamConnectionTermination);
  record(status_);
  finish(CloseMode::delayed);
}

void Request::begin_without_head(Downstream& downstream) {
  reset(downstream);
  head_.size = 0;  // it may be parsed as far as its end, and still is none
  head_.is_keep_alive = false;
  is_complete_ = false;
}

void Request::refuse(Downstream& downstream, std::size_t head_bytes) {
  begin_without_head(downstream);
  reply_overloaded(head_bytes);
}

// As Envoy's overload manager says it.
void Request::reply_overloaded(std::size_t bytes) {
  const bool is_nodes = !source_->buffered().has_room_on_node(bytes);
  worker_.telemetry().on_memory_refused(is_nodes ? telemetry::RefusalScope::node : telemetry::RefusalScope::pod);
  answers_head_ = true;  // nothing more of it is wanted
  reply_locally(
      {.status = 503, .body = "envoy overloaded", .flags = telemetry::kOverloadManager, .details = "overload"});
}

void Request::reject(Downstream& downstream, std::uint16_t status, std::string_view details) {
  begin_without_head(downstream);
  answers_head_ = true;  // what follows has no meaning: nothing to wait for
  reply_locally({.status = status,
                 .body = rejection_text(status),
                 .flags = telemetry::kDownstreamProtocolError,
                 .details = details});
}

void Request::reject_body(http1::BodyError error) {
  const bool is_too_large = error == http1::BodyError::too_large;
  const std::uint16_t status = is_too_large ? 431 : 400;
  const std::string_view details = is_too_large                                    ? "http1.headers_too_large"
                                   : error == http1::BodyError::invalid_characters ? "http1.invalid_characters"
                                                                                   : "http1.codec_error";
  if (stage_ == Stage::responding) {
    drop_connection();
    cut_response(telemetry::kDownstreamProtocolError, details);
    return;
  }
  if (is_active_) end_attempt(AttemptOutcome::reset, 0, telemetry::kDownstreamConnectionTermination);
  answers_head_ = true;
  reply_locally({.status = status,
                 .body = rejection_text(status),
                 .flags = telemetry::kDownstreamProtocolError,
                 .details = details});
}

void Request::abandon(Downstream& downstream) {
  reset(downstream);
  head_ = {};
  on_downstream_gone();
}

void Request::send_downstream(std::string_view bytes) {
  WireParts wire;
  wire.add(bytes);
  response_wire_bytes_ += wire.size();
  if (!wire.is_empty()) downstream_->send(wire.parts());
}

}  // namespace proxy
