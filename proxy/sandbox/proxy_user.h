#pragma once

#include <sys/types.h>

namespace proxy {

// The uid and gid of the proxy when the agent is root. No account needs to exist; nothing on a host is owned by it.
inline constexpr uid_t kProxyUid = 65532;

}  // namespace proxy
