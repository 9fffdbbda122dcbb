#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace agent {

// Non-blocking listening sockets on one address, one for each worker (SO_REUSEPORT).
//
// `cgroup`: the folder of the proxy's cgroup. The kernel runs the program that answers for original destinations by the
// cgroup in which the listening socket was made, not by that of the process that uses it; so a child makes them there.
// Empty: they are made in this process, for listeners that nothing is redirected to.
base::Result<std::vector<base::UniqueFd>> make_listeners(const base::SocketAddress& address, std::uint32_t count,
                                                         const std::string& cgroup = "");

}  // namespace agent
