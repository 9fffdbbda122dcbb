#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/kube/api_client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/io_loop.h"
#include "tests/support/tls_front.h"

namespace agent::kube {

// A server that does as it is told, over TLS, and the thread of its client: nothing of the client runs outside of
// run_*().
class ScriptedApiServer : public tests::support::IoLoop {
 public:
  explicit ScriptedApiServer(tests::support::Handler handler = tests::support::reply(),
                             const std::string& alternative_name = "IP:127.0.0.1", bool is_expired = false);

  [[nodiscard]] ClientConfig config() const;
  [[nodiscard]] std::shared_ptr<Credentials> credentials() const { return std::make_shared<Credentials>(config()); }

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
