#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kube/api_error.h"
#include "base/clock.h"
#include "base/random.h"

namespace agent::kube {

// A Lease of coordination.k8s.io/v1.
struct Lease {
  std::string holder;  // empty: nobody
  std::chrono::seconds duration{0};
  std::string acquired, renewed;  // as whoever holds it wrote them, by a clock that may be wrong
  std::int64_t transitions = 0;
  std::string version;  // resourceVersion; empty: it does not exist yet
  bool operator==(const Lease&) const = default;
};

ApiResult<Lease> read_lease(std::string_view body);
std::string to_json(const Lease& lease, std::string_view name);

// Which one of all agents acts: the one that holds a lease. Pure: told what was read and written, does no I/O. Clocks
// of nodes may differ, so that a lease counts from when it was seen to change, on the clock of whoever looks at it.
class Election {
 public:
  struct Times {
    std::chrono::milliseconds duration{30'000};  // without being renewed
    std::chrono::milliseconds renewal{10'000};
    // Who does not lead leaves so long to the one that does, each another part of it, before he looks at the lease.
    std::chrono::milliseconds patience{5'000};
  };
  explicit Election(std::string identity) : Election(std::move(identity), Times{}) {}
  Election(std::string identity, Times times) : identity_(std::move(identity)), times_(times) {}

  // Ends before others may take the lease over.
  [[nodiscard]] bool is_leading(base::TimePoint now) const { return leading_until_ && now < *leading_until_; }
  // REQUIRES: is_leading(). When it is to be written again.
  [[nodiscard]] base::TimePoint renewal_at() const { return written_at_ + times_.renewal; }

  // The lease as it is; nullopt: there is none.
  void on_read(std::optional<Lease> lease, base::TimePoint now);
  // To be written now, if the API server takes it, in order to lead. None: it is somebody else's until take_over_at().
  [[nodiscard]] std::optional<Lease> claim(base::TimePoint now, base::WallTime wall_now) const;
  [[nodiscard]] base::TimePoint take_over_at() const;
  // `asked_at` is when the claim was sent.
  void on_written(Lease lease, base::TimePoint asked_at);
  // Somebody else was quicker.
  void on_lost();

 private:
  std::string identity_;
  Times times_;
  std::optional<Lease> seen_;
  base::TimePoint seen_at_;  // since when it has looked like this
  base::TimePoint written_at_;
  std::optional<base::TimePoint> leading_until_;
};

}  // namespace agent::kube
