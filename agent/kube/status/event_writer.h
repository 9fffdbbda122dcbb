#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "agent/kube/credentials.h"
#include "agent/kube/objects.h"

namespace agent::kube {

// Tells people what they should see with `kubectl describe` of an object. What cannot be said is logged, no more:
// events are the API server's to lose. REQUIRES: all of it on the thread of `context`, which outlives it.
class EventWriter {
 public:
  EventWriter(boost::asio::io_context& context, std::shared_ptr<Credentials> credentials);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  void add(Event event);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the coroutine, which may end a little later
};

}  // namespace agent::kube
