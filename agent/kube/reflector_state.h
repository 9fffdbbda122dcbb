#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/api_error.h"
#include "agent/kube/backoff.h"
#include "agent/kube/resource.h"
#include "base/clock.h"
#include "base/random.h"

namespace agent::kube {

// How well a reflector knows its resource.
enum class ReflectorHealth : std::uint8_t {
  starting,   // nothing is known yet
  following,  // a whole list is there, and what came since
  retrying,   // the last request failed; what is known stays
  absent,     // the API server has no such kind: nothing is known, and that is all there is
  forbidden,  // we may not read it; what is known stays
};

std::string_view to_string(ReflectorHealth health);

// Decides what to ask for next: the pages of a list, then watches that each go on where the last one ended, and a list
// again when that is no longer possible. A kind that the API server does not have in its newest version is looked for
// in older ones. Told what came of it; does no I/O.
class ReflectorState {
 public:
  explicit ReflectorState(Resource resource, std::size_t page_size = kPageSize);

  enum class Step : std::uint8_t {
    first_page,  // a list begins: what is known is to be replaced
    next_page,
    watch,
  };
  [[nodiscard]] Step step() const;
  // Path and query for it.
  [[nodiscard]] std::string target(base::Random& random) const;

  // A page was read; `token` is empty on the last one.
  void on_page(std::string_view token, std::string_view resource_version, base::TimePoint now);
  void on_watching(base::TimePoint now);  // the API server has accepted the watch
  // An event or a bookmark: where a later watch goes on.
  void on_version(std::string_view resource_version, base::TimePoint now);

  // After these two: how long to wait before the next step.
  std::chrono::milliseconds on_watch_end(base::TimePoint now, base::Random& random);
  std::chrono::milliseconds on_failure(const ApiError& error, base::TimePoint now, base::Random& random);

  [[nodiscard]] ReflectorHealth health() const { return health_; }
  // Since when a whole list has been there at least once; an absent kind counts.
  [[nodiscard]] bool is_synced() const { return is_synced_; }
  [[nodiscard]] const std::string& error() const { return error_; }  // empty unless retrying, absent or forbidden
  // When what is known was last confirmed: a page, an event, a bookmark, or that there is no such kind.
  [[nodiscard]] std::optional<base::TimePoint> last_contact() const { return last_contact_; }
  [[nodiscard]] const Resource& resource() const { return resource_; }

  static constexpr std::size_t kPageSize = 500;
  static constexpr std::chrono::milliseconds kLookForKind{10'000};
  // A watch that lived so long shows that all is well again.
  static constexpr std::chrono::seconds kStable{10};

 private:
  void start_over();
  bool try_another_version();
  void note_contact(base::TimePoint now);
  void note_watch_end(base::TimePoint now);

  Resource resource_;
  std::vector<std::string> versions_;  // that resource_ may have
  std::size_t version_index_ = 0, versions_missing_ = 0;
  std::size_t page_size_;
  bool is_listing_ = true;
  std::string token_;         // of the next page
  std::string version_;       // that the list has, or the last event
  bool has_expired_ = false;  // a watch was of no use, and none has told anything since
  bool is_synced_ = false;
  ReflectorHealth health_ = ReflectorHealth::starting;
  std::string error_;
  std::optional<base::TimePoint> last_contact_;
  std::optional<base::TimePoint> watching_since_;
  Backoff backoff_;
};

}  // namespace agent::kube
