#include "agent/kube/status/status_queue.h"

#include <algorithm>
#include <utility>

namespace agent::kube {

void StatusQueue::set(const Id& id, StatusWrite write) {
  Waiting& waiting = waiting_[id];
  if (waiting.write.uid != write.uid || waiting.write.generation != write.generation) waiting.not_before = {};
  if (const auto written = written_.find(id);
      written != written_.end() && written->second.uid == write.uid && written->second.generation == write.generation) {
    waiting.not_before = std::max(waiting.not_before, written->second.again_at);
  }
  waiting.write = std::move(write);
}

void StatusQueue::erase(const Id& id) {
  waiting_.erase(id);
  written_.erase(id);
}

std::optional<StatusQueue::Next> StatusQueue::next(base::TimePoint now) const {
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.not_before <= now) return Next{&id, &waiting.write};
  }
  return std::nullopt;
}

std::optional<base::TimePoint> StatusQueue::due() const {
  const auto first = std::min_element(waiting_.begin(), waiting_.end(), [](const auto& one, const auto& other) {
    return one.second.not_before < other.second.not_before;
  });
  if (first == waiting_.end()) return std::nullopt;
  return first->second.not_before;
}

void StatusQueue::on_written(const Id& id, const StatusWrite& write, base::TimePoint now) {
  Written& written = written_[id];
  const bool is_again = written.uid == write.uid && written.generation == write.generation;
  written.uid = write.uid;
  written.generation = write.generation;
  written.pause = is_again ? std::min(written.pause * 2, kLongestPause) : kFirstPause;
  written.again_at = now + written.pause;
  const auto waiting = waiting_.find(id);
  if (waiting == waiting_.end()) return;
  if (waiting->second.write.version == write.version) {
    waiting_.erase(waiting);
  } else if (is_again) {
    waiting->second.not_before = std::max(waiting->second.not_before, written.again_at);
  }
}

void StatusQueue::on_failed(const Id& id, const StatusWrite& write, base::TimePoint again_at) {
  const auto waiting = waiting_.find(id);
  if (waiting != waiting_.end() && waiting->second.write.version == write.version) {
    waiting->second.not_before = again_at;
  }
}

}  // namespace agent::kube
