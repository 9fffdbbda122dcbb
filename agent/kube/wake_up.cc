#include "agent/kube/wake_up.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agent::kube {

boost::asio::awaitable<void> WakeUp::sleep_until(base::TimePoint time) {
  timer_.expires_at(time);
  boost::system::error_code ignored;
  co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
}

}  // namespace agent::kube
