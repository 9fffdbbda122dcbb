#include "tests/integration/kube/scripted_api_server.h"

#include <utility>

namespace agent::kube {

using tests::support::Exchange;
using tests::support::Handler;

ScriptedApiServer::ScriptedApiServer(Handler handler, const std::string& alternative_name, bool is_expired)
    : upstream(std::move(handler)), front(upstream.address(), authority.issue(alternative_name, is_expired)) {}

ClientConfig ScriptedApiServer::config() const {
  return {.host = "127.0.0.1",
          .port = front.address().port,
          .server_name = "127.0.0.1",
          .authority = {.text = authority.pem()},
          .token = {.text = "secret"},
          .origin = "the test"};
}

Handler answer(int status, const std::string& body) {
  return tests::support::reply({.status = status, .headers = {{"Content-Type", "application/json"}}, .body = body});
}

Handler watch_of(std::vector<std::string> lines, Then then) {
  return [lines = std::move(lines), then](Exchange& exchange) {
    if (!exchange.send_head({.is_chunked = true})) return;
    for (const std::string& line : lines) {
      if (!exchange.send_chunk(line + "\n")) return;
    }
    if (then == Then::end) {
      exchange.send_last_chunk();
    } else {
      exchange.hang();
    }
  };
}

}  // namespace agent::kube
