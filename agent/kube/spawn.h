#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

namespace agent::kube {

// Starts a coroutine that nobody awaits; what escapes from it is logged.
void spawn(boost::asio::io_context& context, boost::asio::awaitable<void> task, std::string name);

}  // namespace agent::kube
