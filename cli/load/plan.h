#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/socket_address.h"
#include "cli/load/histogram.h"

namespace cli::load {

// What to send, where and how often.
struct Plan {
  base::SocketAddress address{};
  std::string request{};  // head (and body), the same bytes every time
  bool is_head_request = false;
  std::uint32_t connections = 1;
  std::optional<std::uint64_t> requests{};                    // exactly so many in all; or
  std::optional<std::chrono::nanoseconds> duration{};         // start requests for so long. One of the two is set
  double requests_per_second = 0;                             // over all connections; 0: as fast as answers come
  std::chrono::nanoseconds timeout{std::chrono::seconds(3)};  // of one request, connecting included
  bool keeps_alive = true;                                    // false: a new connection for each request
  int stop_fd = -1;                                           // readable: end early with what is known so far
};

// The code under which a request that got no answer is counted, as Fortio does.
inline constexpr int kNoAnswer = -1;

struct Outcome {
  std::map<int, std::uint64_t> codes;
  std::map<std::string, std::uint64_t> failures;  // why there was no answer, by reason
  Histogram durations;
  std::chrono::nanoseconds elapsed{0};
  std::uint64_t sockets = 0;
  std::uint64_t header_bytes = 0;
  std::uint64_t body_bytes = 0;

  [[nodiscard]] std::uint64_t requests() const { return durations.count(); }
  [[nodiscard]] std::uint64_t answers() const;
};

// Connection `index`'s part of `total` requests: the first ones take what does not divide evenly.
std::uint64_t share_of(std::uint64_t total, std::uint32_t connections, std::uint32_t index);

}  // namespace cli::load
