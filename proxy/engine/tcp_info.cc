#include "proxy/engine/tcp_info.h"

// The C library's netinet/tcp.h has an older tcp_info without the bytes, and cannot be included beside this.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace proxy::engine {

std::optional<TcpInfo> read_tcp_info(int socket) {
  tcp_info info{};
  socklen_t size = offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return TcpInfo{.rtt = std::chrono::microseconds(info.tcpi_rtt),
                 .retransmits = info.tcpi_total_retrans,
                 .sent_bytes = info.tcpi_bytes_acked,
                 .received_bytes = info.tcpi_bytes_received};
}

}  // namespace proxy::engine
