#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/kube/objects.h"
#include "agent/kube/status/status_patch.h"
#include "base/clock.h"
#include "config/documents.h"

namespace agent::kube {

// One version of a policy whose status does not say what it should.
struct StatusWrite {
  std::string uid;
  std::int64_t generation = 0;
  std::string version;  // resourceVersion
  std::string target;   // path of the status
  StatusPatch patch;
  std::optional<Event> event;  // that goes with it
};

// What is to be written, and when. One object is not written over and over: somebody else who keeps changing its status
// back is answered more and more slowly. Pure.
class StatusQueue {
 public:
  using Id = config::DocumentId;

  void set(const Id& id, StatusWrite write);
  void set_right(const Id& id) { waiting_.erase(id); }  // there is nothing to write
  void erase(const Id& id);                             // there is no such policy

  // The first that may be written; nullptr: none yet. Lives until the queue is changed.
  struct Next {
    const Id* id;
    const StatusWrite* write;
  };
  [[nodiscard]] std::optional<Next> next(base::TimePoint now) const;
  // When there will be one; nullopt: after another set().
  [[nodiscard]] std::optional<base::TimePoint> due() const;

  // REQUIRES: these speak of what next() said; it may have been replaced or erased meanwhile.
  void on_written(const Id& id, const StatusWrite& write, base::TimePoint now);
  void on_failed(const Id& id, const StatusWrite& write, base::TimePoint again_at);

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

  static constexpr std::chrono::seconds kFirstPause{1}, kLongestPause{600};

 private:
  struct Waiting {
    StatusWrite write;
    base::TimePoint not_before;
  };
  struct Written {
    std::string uid;
    std::int64_t generation = 0;
    std::chrono::seconds pause{0};  // before this generation is written once more
    base::TimePoint again_at;
  };
  std::map<Id, Waiting> waiting_;
  std::map<Id, Written> written_;
};

}  // namespace agent::kube
