#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/handover/handover.h"
#include "agent/runtime_dir.h"
#include "base/result.h"
#include "channel/messages.h"

namespace agent {

// The right to serve this node. One agent has it; another one of the same DaemonSet is a rolling update, and is given
// it when it asks. On the main thread.
class NodeClaim {
 public:
  // `folder` is the node's, shared by all agents on it. Takes the claim over from an agent of the same `owner`; empty:
  // of nobody. `give` is HandoverServer's. Errc::unavailable: another agent has the claim and keeps it.
  static base::Result<std::unique_ptr<NodeClaim>> make(boost::asio::io_context& context, const std::string& folder,
                                                       const std::string& owner, HandoverServer::Give give);

  // Listeners of the agent before this one, once.
  std::vector<channel::AddListener> take_inherited() { return std::exchange(inherited_, {}); }

 private:
  NodeClaim() = default;

  std::optional<RuntimeDir> folder_;  // locked; given away: not any more
  std::unique_ptr<HandoverServer> server_;
  std::vector<channel::AddListener> inherited_;
};

}  // namespace agent
