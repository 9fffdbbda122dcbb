#include "agent/access_log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace agent {

// Nothing that is slow to read may make the proxy wait: our own output is opened once more, so that not waiting is only
// about us.
base::Result<base::UniqueFd> open_access_log_file(const std::string& path) {
  const bool is_output = path == "-" || path == "/dev/stdout";
  const int ours = is_output ? STDOUT_FILENO : path == "/dev/stderr" ? STDERR_FILENO : -1;
  const std::string name = ours < 0 ? path : "/proc/self/fd/" + std::to_string(ours);
  base::UniqueFd file(::open(name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (file) return file;
  if (ours < 0 || errno != ENXIO) return base::fail_errno("open the access log " + path);
  // A socket, as under systemd: it cannot be opened again.
  file.reset(::fcntl(ours, F_DUPFD_CLOEXEC, 0));
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_NONBLOCK);
  return file;
}

}  // namespace agent
