#include "agent/kube/status/event_queue.h"

#include <boost/json.hpp>
#include <utility>

#include "agent/kube/api_time.h"

namespace agent::kube {

namespace json = boost::json;

void EventQueue::forget_old(base::TimePoint now) {
  std::erase_if(series_,
                [&](const auto& each) { return !each.second.is_waiting && now - each.second.last_at > kSeries; });
}

void EventQueue::add(Event event, base::TimePoint now) {
  forget_old(now);
  const Key key{event.uid, event.reason, event.message};
  if (const auto found = series_.find(key); found != series_.end()) {
    Series& series = found->second;
    ++series.count;
    series.last = event.time;
    series.last_at = now;
    if (!std::exchange(series.is_waiting, true)) again_.push_back(key);
    return;
  }
  if (waiting() >= kMaxWaiting || series_.size() >= 4 * kMaxWaiting) {
    ++dropped_;
    return;
  }
  const base::WallTime time = event.time;
  series_.emplace(key, Series{.event = std::move(event), .name = {}, .last = time, .last_at = now, .told_at = now});
  new_.push_back(key);
}

std::optional<base::TimePoint> EventQueue::due(base::TimePoint now) const {
  if (waiting() == 0) return std::nullopt;
  const base::TimePoint allowed = bucket_.next(now);
  return new_.empty() ? std::max(allowed, series_.at(again_.front()).told_at + kRefresh) : allowed;
}

std::optional<ApiRequest> EventQueue::next(base::TimePoint now) {
  if (const auto at = due(now); !at || *at > now) return std::nullopt;
  auto& queue = new_.empty() ? again_ : new_;
  current_ = std::move(queue.front());
  queue.pop_front();
  bucket_.take(now);
  Series& series = series_.at(*current_);
  ApiRequest request{.method = ApiRequest::Method::post, .target = events_path(series.event)};
  if (series.name.empty()) {
    series.told_count = 1;
    request.body = to_json(series.event);
    return request;
  }
  series.told_count = series.count;
  request.method = ApiRequest::Method::patch;
  request.target += "/" + series.name;
  request.content_type = "application/merge-patch+json";
  request.body = json::serialize(json::object{
      {"series", json::object{{"count", series.count}, {"lastObservedTime", api_micro_time(series.last)}}}});
  return request;
}

void EventQueue::on_done(std::string name, base::TimePoint now) {
  const auto found = series_.find(*current_);
  current_.reset();
  Series& series = found->second;
  if (name.empty()) {
    ++dropped_;
    series_.erase(found);
    return;
  }
  series.name = std::move(name);
  series.told_at = now;
  series.is_waiting = series.count > series.told_count;  // said again meanwhile
  if (series.is_waiting) again_.push_back(found->first);
}

void EventQueue::on_gone() {
  Series& series = series_.at(*current_);
  series.name.clear();
  series.count = 1;
  series.event.time = series.last;
  new_.push_front(*std::exchange(current_, std::nullopt));
}

}  // namespace agent::kube
