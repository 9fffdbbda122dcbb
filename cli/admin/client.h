#pragma once

#include <string>

#include "base/result.h"
#include "base/socket_address.h"

namespace cli::admin {

inline constexpr const char* kDefaultAddress = "127.0.0.1:15020";

// The body of a page of the agent's admin endpoint. When nobody answers, the message says how to start an agent or name
// another address.
base::Result<std::string> fetch(const base::SocketAddress& address, const std::string& target);

}  // namespace cli::admin
