#include "proxy/listener/original_destination.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "bpf/abi.h"

namespace proxy {

base::Result<OriginalDestination> original_destination(int fd) {
  fairlead_original_destination original{};
  socklen_t size = sizeof original;
  if (::getsockopt(fd, FAIRLEAD_SOCKET_LEVEL, FAIRLEAD_ORIGINAL_DESTINATION, &original, &size) != 0) {
    return base::fail_errno("ask for a connection's original destination");
  }
  // Without the kernel part no option of this level exists, so a short answer is somebody else's.
  if (size != sizeof original) return base::fail(base::Errc::io, "the original destination has another layout");
  OriginalDestination destination{.address = {.ip = {}, .port = ntohs(original.port)}, .cgroup_id = original.cgroup_id};
  std::copy(std::begin(original.address), std::end(original.address), destination.address.ip.bytes.begin());
  return destination;
}

}  // namespace proxy
