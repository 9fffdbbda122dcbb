#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace proxy {

struct ControlOptions {
  std::string agent_socket;      // unix socket of the agent
  bool ends_with_agent = false;  // a trial without redirection: nobody will come and adopt this proxy
  bool waits_for_agent = false;  // it may come later than the proxy
};

// The proxy's life, on the main thread: does what the agent says, goes on serving while there is none, connects again
// when one comes. Returns when a signal (SIGTERM, SIGINT) or the agent asked it to end, after draining.
base::Result<> run_control(const ControlOptions& options);

}  // namespace proxy
