#include "agent/handover/node_claim.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace agent {
namespace {

using base::Errc;
using base::Result;

constexpr std::chrono::seconds kPatience{10};

}  // namespace

Result<std::unique_ptr<NodeClaim>> NodeClaim::make(boost::asio::io_context& context, const std::string& folder,
                                                   const std::string& owner, HandoverServer::Give give) {
  std::unique_ptr<NodeClaim> claim(new NodeClaim);
  const std::string socket = folder + "/handover.sock";
  auto claimed = RuntimeDir::claim(folder);
  if (!claimed && claimed.error().code == Errc::unavailable && !owner.empty()) {
    auto inherited = take_over(socket, owner, kPatience);
    if (!inherited) return tl::unexpected(inherited.error());
    claim->inherited_ = std::move(*inherited);
    spdlog::info("took the node over with {} listeners", claim->inherited_.size());
    claimed = RuntimeDir::claim(folder);
  }
  if (!claimed) return tl::unexpected(claimed.error());
  claim->folder_.emplace(std::move(*claimed));
  auto server = HandoverServer::start(context, socket, owner, [&given = *claim, give = std::move(give)] {
    auto listeners = give();
    given.folder_.reset();  // and with it the lock
    return listeners;
  });
  if (!server) return tl::unexpected(server.error());
  claim->server_ = std::move(*server);
  return claim;
}

}  // namespace agent
