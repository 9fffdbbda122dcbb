#include "proxy/listener/original_destination.h"

#include <linux/netfilter_ipv4.h>
#include <sys/socket.h>

namespace proxy {

base::Result<OriginalDestination> original_destination(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, &storage, &size) != 0) return base::fail_errno("SO_ORIGINAL_DST");
  return OriginalDestination{.address = base::SocketAddress::from_sockaddr(storage), .cgroup_id = 0};
}

}  // namespace proxy
