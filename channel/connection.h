#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channel/messages.h"

namespace channel {

// One end of the unix stream socket between agent and proxy. A frame is its length (4 bytes, little endian) and one
// protobuf Frame; its descriptors travel as SCM_RIGHTS with the first byte. Not thread-safe: one thread per connection.
class Connection {
 public:
  // A peer that sends more in one frame is cut off: a configuration of 10,000 services is about 20 MiB.
  static constexpr std::size_t kMaxFrameBytes = 256 * 1024 * 1024;
  static constexpr std::size_t kMaxDescriptors = 250;  // of the kernel's SCM_MAX_FD, 253
  static constexpr int kSendTimeoutSeconds = 5;

  explicit Connection(base::UniqueFd socket);

  // Waits while the peer is slow, but not longer than kSendTimeoutSeconds in which it reads nothing; after a failure
  // the connection is of no more use. Meanwhile takes in what the peer sends: two that send at the same time would wait
  // for each other.
  base::Result<> send(const Message& message);
  // Something came during a send(): there is work for receive() that fd() does not show.
  [[nodiscard]] bool has_arrived() const { return has_arrived_; }

  // Takes what has arrived, without waiting, and hands on each complete message. False: the peer has closed.
  // Fails on what is not a valid frame.
  base::Result<bool> receive(const std::function<void(Message)>& handle);

  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  enum class Arrival : std::uint8_t { something, nothing, end };
  base::Result<> wait_until_writable();
  base::Result<Arrival> take_in();
  base::Result<> take_frames(const std::function<void(Message)>& handle);

  base::UniqueFd socket_;
  std::string buffer_;
  std::vector<base::UniqueFd> descriptors_;  // arrived, not yet claimed by a frame
  bool has_arrived_ = false;
};

}  // namespace channel
