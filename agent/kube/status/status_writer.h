#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/kube/credentials.h"
#include "agent/kube/objects.h"
#include "agent/kube/resource.h"
#include "agent/kube/status/lease.h"
#include "agent/kube/status/status_patch.h"
#include "config/documents.h"

namespace agent::kube {

// Writes on each policy what Fairlead makes of it. Every agent looks at every policy, and as long as all of them say
// what they should, none does anything; one that finds something to write for longer than the agent that leads would
// need tries to lead itself, by way of a lease. So writing costs the API server what is written, however many nodes
// there are. REQUIRES: all of it on the thread of `context`, which outlives it.
class StatusWriter {
 public:
  struct Settings {
    std::string name_space;  // of the lease
    std::string identity;    // of this agent, unlike any other's
    std::string node;        // for events
    Election::Times election = {};
  };
  // Told of what is worth an event, by the agent that leads.
  using Announce = std::function<void(Event)>;
  StatusWriter(boost::asio::io_context& context, std::shared_ptr<Credentials> credentials, Settings settings,
               Announce announce);
  ~StatusWriter();
  StatusWriter(const StatusWriter&) = delete;
  StatusWriter& operator=(const StatusWriter&) = delete;

  // There is this version of a policy now. `object` is as the API server sent it.
  void set(const Resource& resource, const config::DocumentId& id, const boost::json::object& object,
           const Verdict& verdict);
  void erase(const config::DocumentId& id);

  struct Counts {
    bool is_leading = false;
    std::size_t waiting = 0;    // policies whose status is to be written
    std::uint64_t written = 0;  // since the start
    std::uint64_t failures = 0;
    std::uint64_t requests = 0;  // of any kind
  };
  [[nodiscard]] Counts counts() const;

  static constexpr const char* kLease = "fairlead-status";

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the coroutine, which may end a little later
};

}  // namespace agent::kube
