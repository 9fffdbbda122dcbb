#include "agent/kube/reflector_state.h"

#include <algorithm>
#include <utility>

namespace agent::kube {
namespace {

// Watches end at different times, so that not all agents list again after an API server was replaced.
constexpr std::chrono::seconds kShortestWatch{300};
constexpr std::uint64_t kWatchSpread = 300;

// Whether asking the same again will not help: the version or page that is asked for is gone (410), or is one that the
// API server has yet to reach, as after a restored backup.
bool is_of_no_use(const ApiError& error) {
  if (error.reason == "Expired" || error.reason == "Gone") return true;
  if (error.message.find("Too large resource version") != std::string::npos) return true;
  return error.status < 500 && error.status != 401 && error.status != 429;
}

std::string advice(const Resource& resource, const ApiError& error) {
  return error.message + " (the service account needs the verbs list and watch for " + to_string(resource) + ")";
}

}  // namespace

std::string_view to_string(ReflectorHealth health) {
  switch (health) {
    case ReflectorHealth::starting:
      return "starting";
    case ReflectorHealth::following:
      return "following";
    case ReflectorHealth::retrying:
      return "retrying";
    case ReflectorHealth::absent:
      return "absent";
    case ReflectorHealth::forbidden:
      return "forbidden";
  }
  return "";
}

ReflectorState::ReflectorState(Resource resource, std::size_t page_size)
    : resource_(std::move(resource)), versions_(resource_.older_versions), page_size_(page_size) {
  versions_.insert(versions_.begin(), resource_.version);
}

ReflectorState::Step ReflectorState::step() const {
  if (!is_listing_) return Step::watch;
  return token_.empty() ? Step::first_page : Step::next_page;
}

std::string ReflectorState::target(base::Random& random) const {
  if (is_listing_) return list_target(resource_, page_size_, token_);
  return watch_target(resource_, version_, kShortestWatch + std::chrono::seconds(random.below(kWatchSpread)));
}

void ReflectorState::note_contact(base::TimePoint now) {
  last_contact_ = now;
  health_ = is_synced_ ? ReflectorHealth::following : ReflectorHealth::starting;
  error_.clear();
}

// Whether a watch failed or not, it shows that all is well if it lived long enough.
void ReflectorState::note_watch_end(base::TimePoint now) {
  if (watching_since_ && now - *watching_since_ >= kStable) backoff_.reset();
  watching_since_.reset();
}

void ReflectorState::start_over() {
  is_listing_ = true;
  token_.clear();
  version_.clear();
}

// False: all of them have been tried, and the first is next.
bool ReflectorState::try_another_version() {
  version_index_ = (version_index_ + 1) % versions_.size();
  resource_.version = versions_[version_index_];
  if (++versions_missing_ < versions_.size()) return true;
  versions_missing_ = version_index_ = 0;
  resource_.version = versions_.front();
  return false;
}

void ReflectorState::on_page(std::string_view token, std::string_view resource_version, base::TimePoint now) {
  token_ = token;
  versions_missing_ = 0;
  if (token_.empty()) {
    is_listing_ = false;
    version_ = resource_version;
    is_synced_ = true;
  }
  note_contact(now);
}

void ReflectorState::on_watching(base::TimePoint now) {
  watching_since_ = now;
  note_contact(now);
}

void ReflectorState::on_version(std::string_view resource_version, base::TimePoint now) {
  if (!resource_version.empty()) version_ = resource_version;
  has_expired_ = false;
  note_contact(now);
}

std::chrono::milliseconds ReflectorState::on_watch_end(base::TimePoint now, base::Random& random) {
  last_contact_ = now;
  const bool was_stable = watching_since_ && now - *watching_since_ >= kStable;
  note_watch_end(now);
  return was_stable ? std::chrono::milliseconds{} : backoff_.next(random);
}

std::chrono::milliseconds ReflectorState::on_failure(const ApiError& error, base::TimePoint now, base::Random& random) {
  error_ = error.message;
  health_ = ReflectorHealth::retrying;
  note_watch_end(now);
  switch (error.kind) {
    case ApiError::Kind::too_large:
      if (is_listing_ && page_size_ > 1) {
        page_size_ /= 2;
        return {};
      }
      break;
    // A watch from a version that a restored etcd has yet to reach may be accepted and stay silent.
    case ApiError::Kind::silence:
    case ApiError::Kind::malformed:
      start_over();
      break;
    case ApiError::Kind::refused:
      if (error.status == 404 && is_listing_ && try_another_version()) {
        health_ = is_synced_ ? ReflectorHealth::retrying : ReflectorHealth::starting;
        start_over();
        return {};
      }
      if (error.status == 404 && is_listing_) {
        health_ = ReflectorHealth::absent;
        is_synced_ = true;
        last_contact_ = now;
        start_over();
        return jittered(kLookForKind, random);
      }
      if (error.status == 403) {
        health_ = ReflectorHealth::forbidden;
        error_ = advice(resource_, error);
      }
      if (is_of_no_use(error)) {
        // After an outage the API server is back, whose absence made the wait long. Once: lists are dear.
        if (!is_listing_ && !std::exchange(has_expired_, true)) backoff_.reset();
        start_over();
      }
      break;
    case ApiError::Kind::connection:
    case ApiError::Kind::closed:
      break;
  }
  std::chrono::milliseconds wait = backoff_.next(random);
  if (error.retry_after) wait = std::max<std::chrono::milliseconds>(wait, *error.retry_after);
  return wait;
}

}  // namespace agent::kube
