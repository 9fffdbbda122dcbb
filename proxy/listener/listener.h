#pragma once

#include <optional>

#include "base/unique_fd.h"
#include "proxy/engine/event_loop.h"
#include "proxy/server.h"

namespace proxy {

class Worker;

// A listening socket of one worker. The agent holds a copy of the descriptor, so connections that come while no proxy
// runs wait in the kernel; so do those for which this process has no descriptor left, until one is free.
class Listener final : public engine::IoHandler, public engine::Deferred {
 public:
  Listener(Worker& worker, base::UniqueFd socket, std::optional<ListenerSpec::Fixed> fixed);

  [[nodiscard]] int fd() const { return socket_.get(); }
  void on_io(std::uint32_t) override { accept_some(); }
  void run_deferred(When) override { accept_some(); }
  // REQUIRES: the worker has a configuration.
  void accept_all();

 private:
  void accept_again(base::TimePoint) { accept_some(); }
  void accept_some();
  void accept_later();
  // False: there is none, or no descriptor for it.
  bool accept_one();

  Worker& worker_;
  base::UniqueFd socket_;
  std::optional<ListenerSpec::Fixed> fixed_;
  engine::Timer retry_;
};

}  // namespace proxy
