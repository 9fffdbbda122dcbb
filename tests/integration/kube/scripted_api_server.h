#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/kube/api_client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/tls_front.h"

namespace agent::kube {

// A server that does as it is told, over TLS, and the thread of its client: nothing of the client runs outside of
// run_*().
class ScriptedApiServer {
 public:
  explicit ScriptedApiServer(tests::support::Handler handler = tests::support::reply(),
                             const std::string& alternative_name = "IP:127.0.0.1", bool is_expired = false);

  [[nodiscard]] ClientConfig config() const;
  [[nodiscard]] std::shared_ptr<Credentials> credentials() const { return std::make_shared<Credentials>(config()); }

  // False when `condition` still does not hold after ten seconds.
  bool run_until(const std::function<bool()>& condition);

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
  tests::support::TestAuthority authority;
  tests::support::FakeUpstream upstream;
  tests::support::TlsFront front;
};

// Answers of an API server.
tests::support::Handler answer(int status, const std::string& body);
// A watch that brings these lines, and then ends or stays silent until the client goes away.
enum class Then : std::uint8_t { end, stay };
tests::support::Handler watch_of(std::vector<std::string> lines, Then then);

}  // namespace agent::kube
