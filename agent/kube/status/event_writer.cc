#include "agent/kube/status/event_writer.h"

#include <boost/json.hpp>
#include <string>
#include <utility>

#include "agent/kube/api_client.h"
#include "agent/kube/backoff.h"
#include "agent/kube/json_node.h"
#include "agent/kube/spawn.h"
#include "agent/kube/status/event_queue.h"
#include "agent/kube/status/problem_log.h"
#include "agent/kube/wake_up.h"
#include "base/clock.h"
#include "base/random.h"

namespace agent::kube {
namespace {

namespace asio = boost::asio;

// The event was made or changed; of an answer that names none there is nothing to go on with.
std::string name_in(std::string_view body) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) return {};
  Complaint ignored;
  return JsonNode(value.get_object(), ignored)["metadata"]["name"].text();
}

// A namespace that is being deleted, an object that is not wanted: asking again does not help.
bool is_final(const ApiError& error) {
  return error.kind == ApiError::Kind::refused && error.status < 500 && error.status != 429 && error.status != 401;
}

}  // namespace

struct EventWriter::Impl {
  Impl(asio::io_context& io_context, std::shared_ptr<Credentials> credentials)
      : context(io_context), client(io_context, std::move(credentials)), wake_up(io_context) {}

  static asio::awaitable<void> run(std::shared_ptr<Impl> self);
  asio::awaitable<void> write(ApiRequest request);

  asio::io_context& context;
  ApiClient client;
  WakeUp wake_up;
  EventQueue queue;
  ProblemLog problems{"events"};
  bool is_closed = false;
  bool is_running = false;
};

asio::awaitable<void> EventWriter::Impl::write(ApiRequest request) {
  Backoff backoff;
  base::Random random = base::Random::from_entropy();
  while (!is_closed) {
    const auto answer = co_await client.perform(request);
    if (is_closed) co_return;
    if (answer) {
      problems.on_success();
      queue.on_done(name_in(*answer), base::now());
      co_return;
    }
    problems.on_failure(answer.error());
    const bool is_counting = request.method == ApiRequest::Method::patch;
    if (is_counting && answer.error().status == 404) {
      queue.on_gone();
      co_return;
    }
    if (is_final(answer.error())) {
      queue.on_done({}, base::now());
      co_return;
    }
    const base::TimePoint again = base::now() + backoff.next(random);
    while (!is_closed && base::now() < again) co_await wake_up.sleep_until(again);  // another event wakes us too
  }
}

asio::awaitable<void> EventWriter::Impl::run(std::shared_ptr<Impl> self) {
  while (!self->is_closed) {
    const auto due = self->queue.due(base::now());
    if (!due) break;  // nothing to say: the next add() begins anew
    if (auto request = self->queue.next(base::now())) {
      co_await self->write(std::move(*request));
    } else {
      co_await self->wake_up.sleep_until(*due);
    }
  }
  self->is_running = false;
}

EventWriter::EventWriter(asio::io_context& context, std::shared_ptr<Credentials> credentials)
    : impl_(std::make_shared<Impl>(context, std::move(credentials))) {}

EventWriter::~EventWriter() {
  impl_->is_closed = true;
  impl_->client.close();
  impl_->wake_up.wake();
}

void EventWriter::add(Event event) {
  impl_->queue.add(std::move(event), base::now());
  if (!std::exchange(impl_->is_running, true)) {
    spawn(impl_->context, Impl::run(impl_), "events");
  } else {
    impl_->wake_up.wake();
  }
}

}  // namespace agent::kube
