#include "agent/kube/spawn.h"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

namespace agent::kube {

void spawn(boost::asio::io_context& context, boost::asio::awaitable<void> task, std::string name) {
  boost::asio::co_spawn(context, std::move(task), [name = std::move(name)](const std::exception_ptr& error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      spdlog::error("kube: {}: unexpected: {}", name, e.what());
    }
  });
}

}  // namespace agent::kube
