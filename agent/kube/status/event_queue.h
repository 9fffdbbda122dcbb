#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "agent/kube/api_client.h"
#include "agent/kube/objects.h"
#include "agent/kube/status/token_bucket.h"
#include "base/clock.h"

namespace agent::kube {

// Events on their way to the API server. What is said again about an object is counted in the event there is (a series)
// instead of being another one, and nobody can make an agent say more than a little at a time. Pure.
class EventQueue {
 public:
  void add(Event event, base::TimePoint now);

  // What is to be said next, if it may be said now. REQUIRES: on_done() or on_gone() was called for the one before.
  std::optional<ApiRequest> next(base::TimePoint now);
  // When next() may have something; nullopt: after another add().
  [[nodiscard]] std::optional<base::TimePoint> due(base::TimePoint now) const;
  // The name of the event that was made or changed; empty: it could not be.
  void on_done(std::string name, base::TimePoint now);
  // The event that it was to be counted in is not there any more: it is made anew.
  void on_gone();

  // Events that were not said and not counted in one that was.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::size_t waiting() const { return new_.size() + again_.size(); }

  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr unsigned kBurst = 25;
  static constexpr std::chrono::milliseconds kInterval{2'000};
  // Who says the same within this time repeats himself; the API server keeps events for an hour.
  static constexpr std::chrono::minutes kSeries{10};
  // A series is brought up to date no more often.
  static constexpr std::chrono::minutes kRefresh{1};

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // object's uid, reason, message
  struct Series {
    Event event;
    std::string name;  // of the event; empty until it was made
    std::uint32_t count = 1, told_count = 0;
    base::WallTime last;  // said
    base::TimePoint last_at, told_at;
    bool is_waiting = true;  // in a queue, or asked for by next()
  };
  void forget_old(base::TimePoint now);

  std::map<Key, Series> series_;
  std::deque<Key> new_, again_;  // none of these waits for one of those
  std::optional<Key> current_;
  TokenBucket bucket_{kBurst, kInterval};
  std::uint64_t dropped_ = 0;
};

}  // namespace agent::kube
