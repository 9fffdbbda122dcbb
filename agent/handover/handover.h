#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channel/messages.h"

namespace agent {

// A rolling update brings the next agent before the last one goes. The listening sockets change hands, so that
// connections wait in their queues for a moment and none is refused; what is attached in the kernel stays as it is.
// Agents of another installation are refused: two of them on one node are a mistake.

// Takes the node over from the agent that serves `socket_path`. Waits at most `patience`. Errc::unavailable: that agent
// is not of `owner` (namespace/name of the DaemonSet), or does not answer.
base::Result<std::vector<channel::AddListener>> take_over(const std::string& socket_path, const std::string& owner,
                                                          std::chrono::milliseconds patience);

// The other side, on the thread of `context`.
class HandoverServer {
 public:
  // `give` is called once, when an agent of the same owner asks, and returns what is given away. From then on this
  // agent does not touch the node any more.
  using Give = std::function<std::vector<channel::AddListener>()>;
  static base::Result<std::unique_ptr<HandoverServer>> start(boost::asio::io_context& context, std::string socket_path,
                                                             std::string owner, Give give);
  ~HandoverServer();

 private:
  HandoverServer(boost::asio::io_context& context, std::string socket_path, std::string owner, Give give);
  void accept();
  void answer(base::UniqueFd socket);

  boost::asio::posix::stream_descriptor server_;
  std::string socket_path_, owner_;
  Give give_;
  bool has_given_ = false;
};

}  // namespace agent
