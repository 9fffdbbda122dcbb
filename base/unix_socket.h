#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

// Stream sockets in the file system.
namespace base {

// Non-blocking; replaces what is at `path`. Anybody may connect as far as the folder lets them: who may speak is for
// the server to decide.
Result<UniqueFd> listen_unix(const std::string& path);

Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace base
