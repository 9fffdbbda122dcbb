#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/clock.h"

namespace tests::support {

// An io_context that runs on the test's thread and only while the test waits for something, so that nothing needs a
// lock.
class IoLoop {
 public:
  // False when `condition` still does not hold after `limit`.
  bool run_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto deadline = base::now() + limit;
    while (!condition()) {
      if (base::now() > deadline) return false;
      context.restart();
      context.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  template <typename T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(context, std::move(task), [&](const std::exception_ptr& error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    if (!run_until([&] { return result.has_value(); })) throw std::runtime_error("the call does not end");
    return std::move(*result);
  }

  boost::asio::io_context context{1};
};

}  // namespace tests::support
