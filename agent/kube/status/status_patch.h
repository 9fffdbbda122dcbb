#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/document_store.h"
#include "config/finding.h"

namespace agent::kube {

// What Fairlead says about one version of a policy. Every agent of a version says the same of the same object, so that
// it does not matter which one writes it down.
struct Verdict {
  config::DocumentState state = config::DocumentState::active;
  std::vector<config::Finding> findings;
};

// Our entry in status.conditions.
struct Condition {
  static constexpr const char* kType = "fairlead.dev/Accepted";
  bool is_accepted = true;
  std::string reason;   // one word
  std::string message;  // for people: every finding with its place, bounded
};
Condition condition_of(const Verdict& verdict);

struct StatusPatch {
  std::string body;      // a merge patch, which the API server takes only for the version that was looked at
  bool is_news = false;  // the condition says something else than before, or the same about a new generation
};
// Makes an object's status say it, and keeps what others wrote: their conditions, their validation messages, their
// fields. None: it says so already. `object` is as the API server sent it.
std::optional<StatusPatch> status_patch(const boost::json::object& object, const Verdict& verdict, base::WallTime now);

}  // namespace agent::kube
