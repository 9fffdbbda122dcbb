#include "agent/kube/status/status_writer.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <utility>

#include "agent/kube/api_client.h"
#include "agent/kube/backoff.h"
#include "agent/kube/json_node.h"
#include "agent/kube/spawn.h"
#include "agent/kube/status/problem_log.h"
#include "agent/kube/status/status_queue.h"
#include "agent/kube/status/token_bucket.h"
#include "agent/kube/wake_up.h"
#include "base/clock.h"
#include "base/random.h"

namespace agent::kube {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kLongestPatience{300'000};
// What the API server refuses for a reason that does not pass by itself.
constexpr std::chrono::minutes kRefused{5};
constexpr std::chrono::seconds kChanged{1};
constexpr unsigned kBurst = 20;
constexpr std::chrono::milliseconds kInterval{100};

std::string path_of_leases(const std::string& name_space) {
  return collection_path(
      {.group = "coordination.k8s.io", .version = "v1", .plural = "leases", .name_space = name_space});
}

std::optional<Event> event_for(const config::DocumentId& id, const std::string& api_version, const std::string& uid,
                               const std::string& node, const Verdict& verdict) {
  const bool is_rejected = verdict.state == config::DocumentState::rejected;
  if (!is_rejected && verdict.state != config::DocumentState::partial) return std::nullopt;
  return Event{.api_version = api_version,
               .kind = id.kind,
               .name_space = id.name_space,
               .name = id.name,
               .uid = uid,
               .is_warning = true,
               .reason = is_rejected ? "PolicyRejected" : "PolicyPartlyEnforced",
               .action = "ReadPolicy",
               .message = condition_of(verdict).message,
               .node = node};
}

}  // namespace

struct StatusWriter::Impl {
  Impl(asio::io_context& io_context, std::shared_ptr<Credentials> credentials, Settings given, Announce to)
      : context(io_context),
        client(io_context, std::move(credentials)),
        settings(std::move(given)),
        announce(std::move(to)),
        election(settings.identity, settings.election),
        wake_up(io_context) {}

  static asio::awaitable<void> run(std::shared_ptr<Impl> self);
  asio::awaitable<void> wait_for_turn(base::TimePoint now);
  asio::awaitable<void> lead();
  asio::awaitable<bool> look_at_lease();
  asio::awaitable<void> claim(Lease claimed);
  asio::awaitable<void> write(config::DocumentId id, StatusWrite write);
  void on_lease_failure(const ApiError& error);
  std::chrono::milliseconds somewhere_in(std::chrono::milliseconds span) {
    return std::chrono::milliseconds(random.below(static_cast<std::uint64_t>(span.count()) + 1));
  }

  asio::io_context& context;
  ApiClient client;
  Settings settings;
  Announce announce;
  Election election;
  WakeUp wake_up;
  StatusQueue queue;
  TokenBucket bucket{kBurst, kInterval};
  base::Random random = base::Random::from_entropy();
  Backoff lease_backoff, write_backoff;
  std::chrono::milliseconds patience = settings.election.patience;
  std::optional<base::TimePoint> ask_at;  // for the lease; not earlier
  base::TimePoint write_at;               // not earlier, whatever is to be written
  ProblemLog lease_problems{"lease fairlead-status"}, write_problems{"status of policies"};
  bool was_leading = false;
  bool is_closed = false, is_running = false;
  std::uint64_t written = 0, failures = 0;
};

void StatusWriter::Impl::on_lease_failure(const ApiError& error) {
  if (is_closed) return;
  ++failures;
  lease_problems.on_failure(error);
  const auto pause = lease_backoff.next(random);
  ask_at = base::now() + (error.status == 403 ? std::max<std::chrono::milliseconds>(pause, kRefused) : pause);
}

// False: it is not known who holds it.
asio::awaitable<bool> StatusWriter::Impl::look_at_lease() {
  const auto answer =
      co_await client.perform({.target = path_of_leases(settings.name_space) + "/" + std::string(kLease)});
  if (!answer && answer.error().status != 404) {
    on_lease_failure(answer.error());
    co_return false;
  }
  std::optional<Lease> lease;
  if (answer) {
    auto read = read_lease(*answer);
    if (!read) {
      on_lease_failure(read.error());
      co_return false;
    }
    lease = std::move(*read);
  }
  election.on_read(std::move(lease), base::now());
  co_return true;
}

asio::awaitable<void> StatusWriter::Impl::claim(Lease claimed) {
  const base::TimePoint asked_at = base::now();
  const bool exists = !claimed.version.empty();
  ApiRequest request{.method = exists ? ApiRequest::Method::put : ApiRequest::Method::post,
                     .target = path_of_leases(settings.name_space),
                     .body = to_json(claimed, kLease)};
  if (exists) request.target += "/" + std::string(kLease);
  const auto answer = co_await client.perform(std::move(request));
  if (!answer) {
    const bool was_beaten = answer.error().status == 409 || answer.error().status == 404;
    if (was_beaten) election.on_lost();
    if (!was_beaten) on_lease_failure(answer.error());
    if (was_beaten) ask_at = base::now() + std::chrono::seconds(1) + somewhere_in(std::chrono::seconds(1));
    co_return;
  }
  auto lease = read_lease(*answer);
  if (!lease) {
    on_lease_failure(lease.error());
    co_return;
  }
  lease_problems.on_success();
  lease_backoff.reset();
  ask_at = base::now();
  election.on_written(std::move(*lease), asked_at);
  if (!std::exchange(was_leading, true)) spdlog::info("kube: this agent writes the status of policies");
}

// Whoever leads goes on to do so; others look whether somebody does.
asio::awaitable<void> StatusWriter::Impl::lead() {
  if (!election.is_leading(base::now())) {
    if (std::exchange(was_leading, false)) spdlog::info("kube: this agent no longer writes the status of policies");
    if (!co_await look_at_lease()) co_return;
  }
  if (is_closed) co_return;
  const base::TimePoint now = base::now();
  if (auto claimed = election.claim(now, base::wall_now())) {
    patience = settings.election.patience;
    co_await claim(std::move(*claimed));
    co_return;
  }
  // As long as it is renewed there is little reason to look.
  ask_at = election.take_over_at() + somewhere_in(patience);
  patience = std::min(patience * 2, kLongestPatience);
}

asio::awaitable<void> StatusWriter::Impl::write(config::DocumentId id, StatusWrite write) {
  bucket.take(base::now());
  const auto answer = co_await client.perform({.method = ApiRequest::Method::patch,
                                               .target = write.target,
                                               .body = write.patch.body,
                                               .content_type = "application/merge-patch+json"});
  if (is_closed) co_return;
  const base::TimePoint now = base::now();
  if (answer) {
    ++written;
    write_problems.on_success();
    write_backoff.reset();
    queue.on_written(id, write, now);
    if (write.patch.is_news && write.event) {
      Event event = *std::move(write.event);
      event.time = base::wall_now();
      announce(std::move(event));
    }
    co_return;
  }
  const ApiError& error = answer.error();
  switch (error.status) {
    case 404:  // deleted: the watch will say so
    case 409:  // changed: the watch brings the version that is to be looked at
      queue.on_failed(id, write, now + kChanged);
      co_return;
    case 400:
    case 403:
    case 405:
    case 422:
      queue.on_failed(id, write, now + kRefused);
      break;
    default:
      write_at = now + write_backoff.next(random);
      if (error.retry_after) write_at = std::max(write_at, now + *error.retry_after);
  }
  ++failures;
  write_problems.on_failure(error);
}

asio::awaitable<void> StatusWriter::Impl::wait_for_turn(base::TimePoint now) {
  if (!election.is_leading(now)) {
    co_await wake_up.sleep_until(*ask_at);
    co_return;
  }
  base::TimePoint until = std::max(election.renewal_at(), *ask_at);
  if (const auto due = queue.due()) until = std::min(until, std::max({*due, bucket.next(now), write_at}));
  co_await wake_up.sleep_until(until);
}

asio::awaitable<void> StatusWriter::Impl::run(std::shared_ptr<Impl> self) {
  while (!self->is_closed) {
    const base::TimePoint now = base::now();
    const bool is_leading = self->election.is_leading(now);
    if (!is_leading && self->queue.size() == 0) break;  // the next set() begins anew
    if (!self->ask_at)
      self->ask_at = now + (self->was_leading ? std::chrono::milliseconds(0)
                                              : self->somewhere_in(self->settings.election.patience));
    if (now >= *self->ask_at && (!is_leading || now >= self->election.renewal_at())) {
      co_await self->lead();
      continue;
    }
    const auto next =
        is_leading && self->bucket.next(now) <= now && self->write_at <= now ? self->queue.next(now) : std::nullopt;
    if (next) {
      co_await self->write(*next->id, *next->write);
    } else {
      co_await self->wait_for_turn(now);
    }
  }
  self->ask_at.reset();
  self->patience = self->settings.election.patience;
  self->is_running = false;
}

StatusWriter::StatusWriter(asio::io_context& context, std::shared_ptr<Credentials> credentials, Settings settings,
                           Announce announce)
    : impl_(std::make_shared<Impl>(context, std::move(credentials), std::move(settings), std::move(announce))) {}

StatusWriter::~StatusWriter() {
  impl_->is_closed = true;
  impl_->client.close();
  impl_->wake_up.wake();
}

void StatusWriter::set(const Resource& resource, const config::DocumentId& id, const boost::json::object& object,
                       const Verdict& verdict) {
  Complaint ignored;
  const JsonNode metadata = JsonNode(object, ignored)["metadata"];
  auto patch = status_patch(object, verdict, base::wall_now());
  if (!patch || metadata["deletionTimestamp"]) {
    impl_->queue.set_right(id);
    return;
  }
  const std::string uid = metadata["uid"].text();
  Resource one = resource;
  one.name_space = id.name_space;
  impl_->queue.set(
      id, {.uid = uid,
           .generation = metadata["generation"].integer(0, INT64_MAX),
           .version = metadata["resourceVersion"].text(),
           .target = object_path(one, id.name) + "/status",
           .patch = std::move(*patch),
           .event = event_for(id, resource.group + "/" + resource.version, uid, impl_->settings.node, verdict)});
  if (!std::exchange(impl_->is_running, true)) {
    spawn(impl_->context, Impl::run(impl_), "status of policies");
  } else {
    impl_->wake_up.wake();
  }
}

void StatusWriter::erase(const config::DocumentId& id) { impl_->queue.erase(id); }

StatusWriter::Counts StatusWriter::counts() const {
  return {.is_leading = impl_->election.is_leading(base::now()),
          .waiting = impl_->queue.size(),
          .written = impl_->written,
          .failures = impl_->failures,
          .requests = impl_->client.traffic().requests};
}

}  // namespace agent::kube
