#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"

namespace agent::kube {

// What one coroutine waits for: a time, or that somebody wakes it earlier. One thread uses it.
class WakeUp {
 public:
  explicit WakeUp(boost::asio::io_context& context) : timer_(context) {}

  boost::asio::awaitable<void> sleep_until(base::TimePoint time);
  // Ends the sleep; nothing when nobody sleeps.
  void wake() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace agent::kube
