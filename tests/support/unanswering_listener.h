#pragma once

#include <vector>

#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace tests::support {

// A loopback address where a connect neither succeeds nor fails: its queue of connections is full.
class UnansweringListener {
 public:
  UnansweringListener();
  [[nodiscard]] base::SocketAddress address() const { return address_; }

 private:
  base::UniqueFd listener_;
  std::vector<base::UniqueFd> queued_;
  base::SocketAddress address_;
};

}  // namespace tests::support
