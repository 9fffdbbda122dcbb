#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace agent {

// For the proxy, which opens no files. "-", "/dev/stdout" and "/dev/stderr" are our own output. Writing to the
// descriptor never waits.
base::Result<base::UniqueFd> open_access_log_file(const std::string& path);

}  // namespace agent
