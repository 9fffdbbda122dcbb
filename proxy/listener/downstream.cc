#include "proxy/listener/downstream.h"

#include <sys/epoll.h>

#include <cerrno>

#include "proxy/worker.h"

namespace proxy {
namespace {

struct Rejection {
  std::uint16_t status;
  std::string_view details;
};

Rejection rejection(http1::HeadError error) {
  using http1::HeadError;
  switch (error) {
    case HeadError::invalid_characters:
      return {400, "http1.invalid_characters"};
    case HeadError::invalid_url:
      return {400, "http1.invalid_url"};
    case HeadError::invalid_authority:
      return {400, "http.invalid_authority"};
    case HeadError::length_and_chunked:
      return {400, "http1.content_length_and_chunked_not_allowed"};
    case HeadError::invalid_connection:
      return {400, "http1.connection_header_rejected"};
    case HeadError::invalid_transfer_encoding:
      return {501, "http1.invalid_transfer_encoding"};
    case HeadError::too_large:
      return {431, "http1.headers_too_large"};
    case HeadError::too_many:
      return {431, "http1.too_many_headers"};
    default:
      return {400, "http1.codec_error"};
  }
}

}  // namespace

Downstream::Downstream(Worker& worker)
    : worker_(worker), timer_(engine::Timer::calling<&Downstream::on_timer>(*this)) {}

void Downstream::open(Accepted accepted) {
  accepted_ = std::move(accepted);
  const int fd = accepted_.socket.get();
  socket_.open(std::move(accepted_.socket), {.loop = worker_.loop(), .owner = *this}, worker_.context().buffers,
               source().buffered());
  kept_.open(worker_.context().buffers, source().buffered());
  state_ = State::waiting;
  close_after_flush_ = CloseMode::keep;
  is_readable_ = has_ended_ = is_processing_ = is_draining_ = has_partial_head_ = has_served_ = is_broken_ = is_late_ =
      false;
  request_ = nullptr;
  partial_head_.reset();
  if (!worker_.loop().add(fd, *this)) close();
}

void Downstream::begin() {
  if (state_ != State::waiting) return;
  state_ = State::open;
  arm_idle_timer();
  if (is_readable_ || is_broken_) worker_.loop().defer(*this);
}

void Downstream::begin_at_latest(base::TimePoint when) { worker_.loop().timers().arm(timer_, when); }

void Downstream::on_io(std::uint32_t events) {
  if (state_ == State::closed) return;
  if ((events & EPOLLERR) != 0) is_broken_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) has_ended_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) is_readable_ = true;
  if ((events & EPOLLOUT) != 0 && socket_.queued_bytes() != 0) {
    switch (socket_.flush()) {
      case engine::IoStatus::failed:
        is_broken_ = true;
        break;
      case engine::IoStatus::done:
        if (state_ == State::flushing) {
          begin_close(close_after_flush_);
        } else if (request_ != nullptr) {
          request_->on_downstream_writable();
        }
        break;
      case engine::IoStatus::blocked:
        if (request_ != nullptr &&
            socket_.queued_bytes() < source().buffered().share_of(worker_.settings().stream_buffer_bytes) / 2) {
          request_->on_downstream_writable();
        }
        break;
    }
  }
  if (state_ != State::waiting) process();
}

void Downstream::run_deferred(When when) {
  if (state_ != State::closed) {
    process();
    return;
  }
  if (when == When::between_events) {  // an event of this batch may still name it
    worker_.loop().defer_to_end_of_turn(*this);
    return;
  }
  worker_.recycle(*this);
}

void Downstream::send(std::span<iovec> parts, CloseMode after) {
  if (state_ == State::closed || is_broken_) return;
  const engine::IoStatus status =
      after == CloseMode::keep ? socket_.send_at_end_of_turn(parts) : socket_.send(parts, after == CloseMode::at_once);
  if (status != engine::IoStatus::failed) return;
  is_broken_ = true;
  worker_.loop().defer(*this);  // not here: the request is in the middle of something
}

void Downstream::resume_reading() {
  if (state_ == State::open && (is_readable_ || !kept_.is_empty())) worker_.loop().defer(*this);
}

void Downstream::take_arrived() {
  if (is_processing_ || !kept_.is_empty()) return;
  is_processing_ = true;
  is_readable_ = true;  // its event may be in this batch, behind the one being handled
  char* const scratch = worker_.loop().scratch();
  std::size_t size = 0;
  if (read_more(scratch, size)) {
    const std::size_t used = consume(scratch, size);
    keep(scratch + used, size - used);
  }
  is_processing_ = false;
}

void Downstream::keep(const char* bytes, std::size_t size) {
  if (state_ == State::open) kept_.assign(bytes, size);
}

bool Downstream::wants_bytes() const {
  if (state_ != State::open) return false;
  if (request_ == nullptr) return socket_.queued_bytes() == 0;
  return (request_->is_tunnel() || !request_->is_complete()) && request_->wants_body();
}

// One path for all bytes: what was kept, then what the kernel has, until nobody wants more.
void Downstream::process() {
  if (is_processing_) return;
  is_processing_ = true;
  if (socket_.has_failed()) is_broken_ = true;
  if (state_ == State::lingering) discard();
  std::size_t moved = 0;
  while (!is_broken_ && wants_bytes() && has_share(moved)) {
    char* const scratch = worker_.loop().scratch();
    std::size_t size = kept_.move_to(scratch);
    const bool needs_more = size == 0 || has_partial_head_;
    if (needs_more && !read_more(scratch, size)) {
      keep(scratch, size);
      break;
    }
    const std::size_t used = consume(scratch, size);
    moved += used;
    keep(scratch + used, size - used);
  }
  is_processing_ = false;
  // The caller went away while its request is being worked on; a half-closed connection counts as gone, as in Envoy.
  const bool is_waiting = request_ != nullptr && request_->is_complete() && !request_->is_tunnel();
  if (state_ == State::open && (is_broken_ || (has_ended_ && is_waiting))) on_end();
  if (state_ != State::closed && is_broken_) close();
}

bool Downstream::has_share(std::size_t bytes_so_far) {
  if (bytes_so_far < engine::kBytesPerTurn) return true;
  worker_.loop().defer_to_next_turn(*this);
  return false;
}

// False: nothing came (and the end was handled, if that was it).
bool Downstream::read_more(char* scratch, std::size_t& size) {
  if (!is_readable_) return false;
  const std::size_t room =
      std::min(source().buffered().share_of(engine::EventLoop::kReadBytes), engine::EventLoop::kScratchBytes - size);
  const ssize_t count = socket_.receive(scratch + size, room);
  if (count > 0) {
    // A short read means drained; but a FIN may share the edge with the data.
    is_readable_ = static_cast<std::size_t>(count) == room || has_ended_;
    size += static_cast<std::size_t>(count);
    return true;
  }
  is_readable_ = false;
  if (count < 0 && errno == EAGAIN) return false;
  if (count < 0) {
    is_broken_ = true;
    return false;
  }
  on_end();
  return false;
}

void Downstream::on_end() {
  if (request_ == nullptr) {
    if (has_partial_head_ && partial_head_.has_first_line()) {
      request_ = &worker_.take_request();
      request_->abandon(*this);
    } else {
      close();
    }
  } else if (request_->is_tunnel() && !is_broken_) {
    request_->on_tunnel_end();
  } else {
    request_->on_downstream_gone();
  }
}

std::size_t Downstream::consume(char* data, std::size_t size) {
  std::size_t used = 0;
  while (used < size && wants_bytes()) {
    if (request_ == nullptr) {
      const std::size_t taken = consume_head(data + used, size - used);
      if (taken == 0) break;
      used += taken;
    } else if (request_->is_tunnel()) {
      request_->on_tunnel_data({data + used, size - used});
      used = size;
    } else {
      const http1::BodyDecoder::Step step = body_.decode(data + used, size - used);
      if (step.is_error) {
        request_->reject_body(body_.error());
        return size;
      }
      const std::string_view payload(data + used, step.payload);
      used += step.consumed;
      request_->on_body(payload, step.consumed, body_.is_done());
      if (step.consumed == 0) break;
    }
  }
  return used;
}

std::size_t Downstream::consume_head(char* data, std::size_t size) {
  // Before the first request an empty line is no HTTP, as Istio decides it.
  const bool is_first = !has_served_;
  const std::size_t blank = is_first ? 0 : http1::leading_blank_bytes({data, size});
  if (blank == size) return size;
  const std::string_view bytes(data + blank, size - blank);
  const config::ProxySettings& settings = worker_.settings();

  const http1::HeadLimits limits{.max_bytes = settings.max_request_head_bytes, .max_headers = settings.max_headers};
  const bool has_news = partial_head_.has_news(bytes, limits);
  const bool has_room = source().buffered().has_room(bytes.size());
  if (!has_news && has_room) return blank;

  Request& request = worker_.take_request();
  http1::ParseResult parsed{http1::ParseStatus::incomplete};
  if (has_news) parsed = http1::parse_request_head(bytes, limits, request.head());
  if (parsed.status == http1::ParseStatus::incomplete) {
    if (!has_room) {
      end_of_head(request);
      request.refuse(*this, bytes.size());
      return size;
    }
    worker_.recycle(request);
    if (!has_partial_head_)
      worker_.loop().timers().arm(timer_, worker_.loop().now() + settings.request_headers_timeout);
    has_partial_head_ = true;
    return blank;
  }
  if (is_first && (parsed.error == http1::HeadError::not_http || parsed.error == http1::HeadError::h2_preface)) {
    begin_tcp(request);
    return 0;
  }
  end_of_head(request);
  if (parsed.status == http1::ParseStatus::error) {
    const Rejection why = rejection(parsed.error);
    request.reject(*this, why.status, why.details);
    return size;
  }

  const http1::RequestHead& head = request.head();
  const std::size_t head_end = blank + head.size;
  body_.start(head.body, head.content_length);
  const http1::BodyDecoder::Step step = body_.decode(data + head_end, size - head_end);
  if (step.is_error) {
    // The head alone was a request, and its endpoint hears of it.
    request.begin(*this, bytes.substr(0, head.size), {}, false);
    if (request_ == &request) request.reject_body(body_.error());
    return size;
  }
  request.begin(*this, bytes.substr(0, head.size), {data + head_end, step.payload}, body_.is_done());
  return head_end + step.consumed;
}

void Downstream::end_of_head(Request& request) {
  has_partial_head_ = false;
  partial_head_.reset();
  timer_.cancel();
  has_served_ = true;
  request_ = &request;
}

void Downstream::begin_tcp(Request& request) {
  end_of_head(request);
  request.begin_tcp(*this);
}

void Downstream::on_request_over(CloseMode close) {
  request_ = nullptr;
  if (close != CloseMode::keep || is_draining_) {
    begin_close(close == CloseMode::keep ? CloseMode::at_once : close);
    return;
  }
  arm_idle_timer();
  if (is_readable_ || !kept_.is_empty() || has_ended_) worker_.loop().defer(*this);
}

void Downstream::begin_close(CloseMode mode) {
  if (mode == CloseMode::reset) {
    close();
    return;
  }
  kept_.clear();
  socket_.send_held();
  if (socket_.queued_bytes() != 0) {
    close_after_flush_ = mode;
    state_ = State::flushing;
    worker_.loop().timers().arm(timer_, worker_.loop().now() + worker_.settings().downstream_idle_timeout);
    return;
  }
  if (mode == CloseMode::at_once) {
    close();
    return;
  }
  // Closing with unread bytes would make the kernel send RST, which can destroy the reply before it was read.
  state_ = State::lingering;
  worker_.loop().timers().arm(timer_, worker_.loop().now() + worker_.settings().delayed_close);
  worker_.loop().defer(*this);
}

void Downstream::discard() {
  char* const scratch = worker_.loop().scratch();
  std::size_t dropped = 0;
  while (is_readable_ && has_share(dropped)) {
    const ssize_t count = socket_.receive(scratch, engine::EventLoop::kReadBytes);
    if (count > 0) {
      dropped += static_cast<std::size_t>(count);
      continue;
    }
    is_readable_ = false;
    if (count == 0 || errno != EAGAIN) close();
  }
}

void Downstream::on_timer(base::TimePoint) {
  if (state_ == State::waiting) {
    worker_.on_wait_over(*this);
  } else {
    is_late_ = state_ != State::lingering;
    close();
  }
}

void Downstream::use_service() const {
  if (request_ != nullptr) request_->use_service();
}

telemetry::ConnectionResult Downstream::result() const {
  if (is_late_) return telemetry::ConnectionResult::timeout;
  return is_broken_ || socket_.has_failed() ? telemetry::ConnectionResult::reset : telemetry::ConnectionResult::closed;
}

void Downstream::arm_idle_timer() {
  worker_.loop().timers().arm(timer_, worker_.loop().now() + worker_.settings().downstream_idle_timeout);
}

void Downstream::drain() {
  is_draining_ = true;
  if (state_ == State::waiting || (state_ == State::open && request_ == nullptr)) close();
}

void Downstream::close() {
  if (state_ == State::closed) return;
  if (Request* request = std::exchange(request_, nullptr)) {
    request->on_downstream_gone();  // comes back through on_request_over()
    if (state_ == State::closed) return;
  }
  state_ = State::closed;
  timer_.cancel();
  kept_.clear();
  socket_.close();
  unlink();
  worker_.on_closed(*this);
  worker_.loop().defer_to_end_of_turn(*this);
}

}  // namespace proxy
