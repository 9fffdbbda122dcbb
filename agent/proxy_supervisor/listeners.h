#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace agent {

// Listening sockets on one address, one for each worker; the kernel spreads connections over them (SO_REUSEPORT).
// The agent keeps them open while no proxy runs, so that connections wait instead of being refused.
base::Result<std::vector<base::UniqueFd>> make_listeners(const base::SocketAddress& address, std::uint32_t count);

}  // namespace agent
