#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string_view>

#include "tests/node/node.h"

namespace node {

// What the proxy learns of an accepted connection.
struct Record {
  base::SocketAddress destination;
  std::uint64_t cgroup_id = 0;
  bool operator==(const Record&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Record& record);
// nullopt: it was not redirected.
std::optional<Record> record_of(const base::UniqueFd& connection);
// SO_ORIGINAL_DST, or its IPv6 sibling.
std::optional<base::SocketAddress> original_dst_of(const base::UniqueFd& connection, int family);

// A node on which connections of the cgroup "app" to kService4 and kService6 go to the proxy. The proxy is the test:
// its listeners. What passes reaches the services themselves, which listen too.
class RedirectedNode : public testing::Test {
 protected:
  RedirectedNode();

  void start_proxy();
  void stop_proxy();

  // Who has got a connection since the last question: "proxy", "service", "nobody" or "both".
  std::string who_was_reached();
  [[nodiscard]] std::uint64_t count(std::string_view reason) const;
  [[nodiscard]] std::uint64_t handshakes() const;

  const base::SocketAddress kService4 = address("127.8.0.1:8080");
  const base::SocketAddress kService6 = address("[fd00:8::1]:8080");
  const base::SocketAddress kOther4 = address("127.8.0.2:8080");

  Node node_;
  agent::Datapath datapath_;
  base::UniqueFd proxy4_, proxy6_;
  base::UniqueFd service4_, service6_, other4_;
  std::uint64_t app_ = 0;  // cgroup id
};

}  // namespace node
