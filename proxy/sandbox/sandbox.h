#pragma once

#include "base/result.h"

// What the proxy may not do, whoever takes it over: it parses hostile bytes.
namespace proxy {

// Gives up, for this process and for good: its user (when root; see proxy_user.h), every capability, supplementary
// groups, gaining privileges by execve, core dumps, being traced by its own user, and every system call that is not on
// the list of sandbox.cc, such as one that opens a file or makes a process. A refused call fails with EPERM, so a slip
// degrades instead of ending every connection of the node. REQUIRES: called before other threads exist.
base::Result<> enter_sandbox();

}  // namespace proxy
