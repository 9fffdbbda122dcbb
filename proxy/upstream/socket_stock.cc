#include "proxy/upstream/socket_stock.h"

#include <algorithm>

namespace proxy::upstream {
namespace {

constexpr std::uint32_t kQuietTurns = 60;  // of keep_house(): half a minute

}  // namespace

base::UniqueFd SocketStock::take(SocketUser& user) {
  ++taken_;
  is_used_ = true;
  base::UniqueFd socket;
  if (sockets_.empty()) {
    waiting_.push_back(user);
    wanted_ = std::min(wanted_ * 2, kLargest);
  } else {
    socket = std::move(sockets_.back());
    sockets_.pop_back();
  }
  demand();
  return socket;
}

void SocketStock::demand() {
  const auto waiting = static_cast<std::uint32_t>(waiting_.size());
  const std::uint32_t coming = size() + demanded_;
  if (coming >= waiting + wanted_ / 2 + 1) return;
  const std::uint32_t count = waiting + wanted_ - coming;
  demanded_ += count;
  demands_.push(SocketDemand{.pod = pod_, .worker = worker_, .family = family_, .count = count});
}

void SocketStock::demand_again() {
  demanded_ = 0;
  demand();
}

void SocketStock::add(std::vector<base::UniqueFd> sockets) {
  demanded_ -= std::min(demanded_, static_cast<std::uint32_t>(sockets.size()));
  for (base::UniqueFd& socket : sockets) {
    if (waiting_.empty()) {
      sockets_.push_back(std::move(socket));
      continue;
    }
    SocketUser& user = waiting_.front();
    waiting_.pop_front();
    user.on_socket(std::move(socket));
  }
}

void SocketStock::keep_house() {
  if (taken_ != 0) {
    taken_ = quiet_turns_ = 0;
    return;
  }
  if (++quiet_turns_ < kQuietTurns || wanted_ == kSmallest) return;
  quiet_turns_ = 0;
  wanted_ = std::max(wanted_ / 2, kSmallest);
  if (size() > wanted_) sockets_.resize(wanted_);
}

}  // namespace proxy::upstream
