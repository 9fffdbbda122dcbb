#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace agent {

// Non-blocking listening sockets on one address, one for each worker (SO_REUSEPORT).
base::Result<std::vector<base::UniqueFd>> make_listeners(const base::SocketAddress& address, std::uint32_t count);

}  // namespace agent
