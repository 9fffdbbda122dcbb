#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace agent {

// The process of a proxy: one that we have started, or one that an earlier agent or somebody else has. At most one at a
// time. On the main thread.
class ProxyProcess {
 public:
  struct Command {
    std::string program;      // fairlead-proxy; empty: somebody else starts it
    std::string socket_path;  // where it connects
    bool ends_with_agent = false;
    // Called with the pid of a proxy that was started, before it is given any listener.
    std::function<base::Result<>(pid_t)> place = [](pid_t) { return base::Result<>(); };
  };
  // `ended`: it is there no more; called from the event loop with its pid and how it ended.
  ProxyProcess(boost::asio::io_context& context, Command command, std::function<void(pid_t, std::string)> ended);

  // Of an earlier agent that listened at the same path, still running; 0: none.
  [[nodiscard]] pid_t earlier() const;
  [[nodiscard]] bool is_ours_to_start() const { return !command_.program.empty(); }
  base::Result<> start();
  // It was not started by us. 0: it is in a PID namespace that we do not see; its end is not noticed here.
  void watch(pid_t pid);
  // When there is one.
  void signal(int number) const;
  // Waits for its end, which `ended` is not told of, and insists when it takes longer.
  void end_within(std::chrono::milliseconds limit);
  // The next agent is not to look for it.
  void forget() const;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void watch();
  void on_end();

  boost::asio::io_context& context_;
  Command command_;
  std::function<void(pid_t, std::string)> ended_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> pidfd_;
  pid_t pid_ = 0;
  bool is_child_ = false;
};

// A process of that pid is a proxy, and has not ended.
bool is_proxy_process(pid_t pid);

}  // namespace agent
