#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/socket_address.h"

namespace proxy {

// Where a redirected connection was going, and who made it. Answered by the kernel part on the proxy's cgroup.
struct OriginalDestination {
  base::SocketAddress address;
  std::uint64_t cgroup_id = 0;  // of the opted-in cgroup
};

// Fails on a connection that was not redirected.
base::Result<OriginalDestination> original_destination(int fd);

}  // namespace proxy
