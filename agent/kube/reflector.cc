#include "agent/kube/reflector.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <numeric>
#include <utility>

#include "agent/kube/api_client.h"
#include "agent/kube/spawn.h"

namespace agent::kube {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::awaitable;

ApiError malformed(std::string message) { return {.kind = ApiError::Kind::malformed, .message = std::move(message)}; }

const json::object* object_at(const json::object& parent, std::string_view key) {
  const json::value* value = parent.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

RestartReason why_ended(const ApiResult<void>& watch) {
  if (watch) return RestartReason::closed;
  return watch.error().status == 410 ? RestartReason::expired : RestartReason::error;
}

std::string_view text_at(const json::object& parent, std::string_view key) {
  const json::value* value = parent.if_contains(key);
  const json::string* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

}  // namespace

struct Reflector::Impl {
  Impl(asio::io_context& io_context, std::shared_ptr<Credentials> credentials, Resource resource, ObjectSink& to,
       const ApiTimeouts& timeouts)
      : context(io_context),
        client(io_context, std::move(credentials), timeouts),
        timer(io_context),
        state(std::move(resource)),
        sink(&to) {}

  // Keeps `self` alive until the last answer or wait is over.
  static awaitable<void> run(std::shared_ptr<Impl> self);
  awaitable<std::chrono::milliseconds> take_step();
  awaitable<ApiResult<void>> list_page();
  awaitable<ApiResult<void>> watch();
  ApiResult<void> take_page(std::string_view body);
  ApiResult<void> take_event(std::string_view line);
  std::chrono::milliseconds take_failure(const ApiError& error);
  void log_change(ReflectorHealth before, const std::string& error_before) const;

  asio::io_context& context;
  ApiClient client;
  asio::steady_timer timer;
  ReflectorState state;
  ObjectSink* sink;  // nullptr: the reflector is gone
  base::Random random = base::Random::from_entropy();
  std::uint64_t lists = 0, watches = 0, failures = 0;
  std::array<std::uint64_t, kEventTypeNames.size()> events{};
  std::array<std::uint64_t, kRestartReasonNames.size()> restarts{};
};

ApiResult<void> Reflector::Impl::take_page(std::string_view body) {
  boost::system::error_code error;
  json::monotonic_resource memory;  // all of a page is freed at once
  const json::value value = json::parse(body, error, &memory);
  const json::object* list = value.if_object();
  const json::object* metadata = list != nullptr ? object_at(*list, "metadata") : nullptr;
  const json::value* items = list != nullptr ? list->if_contains("items") : nullptr;
  const bool has_items = items != nullptr && (items->is_array() || items->is_null());  // null: Go's empty list
  if (error || metadata == nullptr || !has_items)
    return tl::unexpected(malformed("the answer is not a list of objects"));
  const std::string_view version = text_at(*metadata, "resourceVersion");
  if (version.empty()) return tl::unexpected(malformed("the list has no resourceVersion"));
  if (state.step() == ReflectorState::Step::first_page) sink->replacing();
  if (items->is_array()) {
    for (const json::value& item : items->get_array()) {
      const json::object* object = item.if_object();
      if (object != nullptr && object_at(*object, "metadata") != nullptr) sink->upsert(*object);
    }
  }
  const std::string_view token = text_at(*metadata, "continue");
  state.on_page(token, version, base::now());
  if (token.empty()) {
    ++lists;
    sink->replaced();
  }
  return {};
}

awaitable<ApiResult<void>> Reflector::Impl::list_page() {
  const auto body = co_await client.perform(
      {.target = state.target(random), .accept = std::string(list_media_type(state.resource()))});
  if (!body) co_return tl::unexpected(body.error());
  if (sink == nullptr) co_return tl::unexpected(ApiError{.kind = ApiError::Kind::closed});
  co_return take_page(*body);
}

ApiResult<void> Reflector::Impl::take_event(std::string_view line) {
  boost::system::error_code error;
  json::monotonic_resource memory;
  const json::value value = json::parse(line, error, &memory);
  const json::object* event = value.if_object();
  const json::object* object = event != nullptr ? object_at(*event, "object") : nullptr;
  if (error || object == nullptr) return tl::unexpected(malformed("the watch brought something that is no event"));
  const std::string_view type = text_at(*event, "type");
  if (type == "ERROR") {
    const json::value* code = object->if_contains("code");
    const bool has_code = code != nullptr && code->is_int64() && code->get_int64() > 0 && code->get_int64() < 1000;
    return tl::unexpected(refusal(has_code ? static_cast<unsigned>(code->get_int64()) : 500, json::serialize(*object)));
  }
  const json::object* metadata = object_at(*object, "metadata");
  if (metadata == nullptr) return tl::unexpected(malformed("the watch brought an object without metadata"));
  const auto count = [this](EventType type_of_event) { ++events[static_cast<std::size_t>(type_of_event)]; };
  if (type == "ADDED" || type == "MODIFIED") {
    sink->upsert(*object);
    count(type == "ADDED" ? EventType::added : EventType::modified);
  } else if (type == "DELETED") {
    sink->erase(*object);
    count(EventType::deleted);
  } else if (type != "BOOKMARK") {
    return tl::unexpected(malformed("the watch brought an event of type \"" + printable(type) + "\""));
  }
  state.on_version(text_at(*metadata, "resourceVersion"), base::now());
  return {};
}

awaitable<ApiResult<void>> Reflector::Impl::watch() {
  ApiResult<void> outcome;
  ApiClient::Watcher watcher{.on_open =
                                 [this] {
                                   ++watches;
                                   const auto health = state.health();
                                   const std::string error = state.error();
                                   state.on_watching(base::now());
                                   log_change(health, error);
                                 },
                             .on_line =
                                 [this, &outcome](std::string_view line) {
                                   if (sink == nullptr) return false;
                                   outcome = take_event(line);
                                   return outcome.has_value();
                                 }};
  auto ended = co_await client.watch(
      {.target = state.target(random), .accept = std::string(watch_media_type(state.resource()))}, std::move(watcher));
  if (!ended) co_return ended;
  co_return outcome;
}

std::chrono::milliseconds Reflector::Impl::take_failure(const ApiError& error) {
  ++failures;
  const bool was_absent = state.health() == ReflectorHealth::absent;
  const auto wait = state.on_failure(error, base::now(), random);
  if (state.health() == ReflectorHealth::absent && !was_absent) {
    sink->replacing();
    sink->replaced();
  }
  return wait;
}

// Once per change, not once per attempt.
void Reflector::Impl::log_change(ReflectorHealth before, const std::string& error_before) const {
  const std::string name = to_string(state.resource());
  const auto health = state.health();
  if (health == ReflectorHealth::following && before != health) {
    spdlog::info("kube: following {}", name);
  } else if (health == ReflectorHealth::absent && before != health) {
    spdlog::info("kube: the API server has no {}; looking again every 10 s", name);
  } else if (health == ReflectorHealth::forbidden && before != health) {
    spdlog::error("kube: cannot read {}: {}", name, state.error());
  } else if (health == ReflectorHealth::retrying && state.error() != error_before) {
    spdlog::warn("kube: {}: {}; trying again", name, state.error());
  }
}

// How long to wait before the next one.
awaitable<std::chrono::milliseconds> Reflector::Impl::take_step() {
  const auto health = state.health();
  const std::string error = state.error();
  const bool is_watch = state.step() == ReflectorState::Step::watch;
  const auto outcome = is_watch ? co_await watch() : co_await list_page();
  std::chrono::milliseconds wait{};
  if (sink == nullptr) co_return wait;
  if (is_watch) ++restarts[static_cast<std::size_t>(why_ended(outcome))];
  if (!outcome) {
    wait = take_failure(outcome.error());
  } else if (is_watch) {
    wait = state.on_watch_end(base::now(), random);
  }
  log_change(health, error);
  co_return wait;
}

awaitable<void> Reflector::Impl::run(std::shared_ptr<Impl> self) {
  while (self->sink != nullptr) {
    const auto wait = co_await self->take_step();
    if (self->sink == nullptr || wait.count() == 0) continue;
    self->timer.expires_after(wait);
    boost::system::error_code ignored;
    co_await self->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

Reflector::Reflector(asio::io_context& context, std::shared_ptr<Credentials> credentials, Resource resource,
                     ObjectSink& sink)
    : Reflector(context, std::move(credentials), std::move(resource), sink, ApiTimeouts{}) {}

Reflector::Reflector(asio::io_context& context, std::shared_ptr<Credentials> credentials, Resource resource,
                     ObjectSink& sink, const ApiTimeouts& timeouts)
    : impl_(std::make_shared<Impl>(context, std::move(credentials), std::move(resource), sink, timeouts)) {}

Reflector::~Reflector() {
  impl_->sink = nullptr;
  impl_->client.close();
  impl_->timer.cancel();
}

void Reflector::start() { spawn(impl_->context, Impl::run(impl_), to_string(impl_->state.resource())); }

Reflector::Status Reflector::status() const {
  return {.health = impl_->state.health(),
          .is_synced = impl_->state.is_synced(),
          .error = impl_->state.error(),
          .last_contact = impl_->state.last_contact(),
          .lists = impl_->lists,
          .watches = impl_->watches,
          .events = std::accumulate(impl_->events.begin(), impl_->events.end(), std::uint64_t{0}),
          .failures = impl_->failures,
          .bytes_received = impl_->client.traffic().bytes_received,
          .events_by_type = impl_->events,
          .restarts = impl_->restarts};
}

const Resource& Reflector::resource() const { return impl_->state.resource(); }

}  // namespace agent::kube
