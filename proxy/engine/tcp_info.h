#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace proxy::engine {

// What the kernel knows of a connection since it began. Bytes are the stream's: the ones that the peer acknowledged and
// the ones that arrived in order; SYN and FIN are one each.
struct TcpInfo {
  std::chrono::microseconds rtt{0};  // smoothed; 0: not measured
  std::uint64_t retransmits = 0;     // segments
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
};

// One system call. Also for a connection that has broken; nothing for what is not TCP.
std::optional<TcpInfo> read_tcp_info(int socket);

}  // namespace proxy::engine
