#include "proxy/policy/load_balancer.h"

#include <algorithm>

namespace proxy::policy {

namespace {

constexpr std::uint32_t kOverprovisioningPercent = 140;
constexpr int kReselections = 5;

struct Summary {
  std::uint32_t usable = 0;
  bool uses_all = false;
  bool weights_differ = false;
};

// A weight of 0 cannot be written; it would never be picked.
std::uint32_t weight_of(const Candidate& candidate) { return std::max(candidate.weight, 1U); }

bool is_panic(std::uint64_t healthy, std::uint64_t total, std::uint64_t panic_percent) {
  return healthy * kOverprovisioningPercent < total * 100 &&
         healthy * 100 < total * std::min<std::uint64_t>(panic_percent, 100);
}

Summary summarize(std::span<const Candidate> candidates, std::uint32_t panic_percent) {
  Summary summary;
  for (const Candidate& candidate : candidates) summary.usable += candidate.is_healthy ? 1 : 0;
  const auto total = static_cast<std::uint32_t>(candidates.size());
  summary.uses_all = summary.usable == total || is_panic(summary.usable, total, panic_percent);
  if (summary.uses_all) summary.usable = total;

  const Candidate* first = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!summary.uses_all && !candidate.is_healthy) continue;
    if (first == nullptr) first = &candidate;
    summary.weights_differ |= weight_of(candidate) != weight_of(*first);
  }
  return summary;
}

// Index of the usable candidate number `position`.
std::uint32_t usable_at(std::span<const Candidate> candidates, bool uses_all, std::uint64_t position) {
  if (uses_all) return static_cast<std::uint32_t>(position);
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].is_healthy && position-- == 0) return i;
  }
  return kNoEndpoint;
}

}  // namespace

std::uint32_t EndpointPicker::pick(std::span<const Candidate> candidates, std::uint32_t panic_percent,
                                   base::Random& random) {
  const Summary summary = summarize(candidates, panic_percent);
  if (summary.usable == 0) return kNoEndpoint;
  const auto any = [&] { return usable_at(candidates, summary.uses_all, random.below(summary.usable)); };

  if (algorithm_ == config::LoadBalancer::random) return any();
  if (summary.weights_differ) return pick_scheduled(candidates, summary.uses_all, random);
  if (algorithm_ == config::LoadBalancer::round_robin) {
    if (!has_started_) next_ = static_cast<std::uint32_t>(random.next());
    has_started_ = true;
    return usable_at(candidates, summary.uses_all, next_++ % summary.usable);
  }
  const std::uint32_t first = any();
  const std::uint32_t second = any();  // may be the same one
  return candidates[second].active_requests < candidates[first].active_requests ? second : first;
}

// How often an endpoint is due in a unit of virtual time.
double EndpointPicker::rate(const Candidate& candidate) const {
  const double weight = weight_of(candidate);
  return algorithm_ == config::LoadBalancer::least_request ? weight / (candidate.active_requests + 1.0) : weight;
}

// Begins anywhere in the rotation, so that many workers do not all begin with the heaviest endpoint.
void EndpointPicker::start_schedule(std::span<const Candidate> candidates, bool uses_all, base::Random& random) {
  const double elapsed = static_cast<double>(random.next() >> 32) * 0x1p-32;  // in [0, 1): one rotation
  schedule_.resize(candidates.size());
  double total_rate = 0;
  std::uint64_t picks_done = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool is_usable = uses_all || candidates[i].is_healthy;
    const double due_rate = rate(candidates[i]);
    schedule_[i] = {.weight = is_usable ? weight_of(candidates[i]) : 0,
                    .picks = static_cast<std::uint64_t>(elapsed * due_rate),
                    .order = ++schedule_order_};
    schedule_[i].deadline = (static_cast<double>(schedule_[i].picks) + 1) / due_rate;
    if (!is_usable) continue;
    total_rate += due_rate;
    picks_done += schedule_[i].picks;
  }
  // Several are due at the end of a rotation: without these picks nobody would begin in the middle of them.
  for (const auto picks = static_cast<std::uint64_t>(elapsed * total_rate); picks_done < picks; ++picks_done) {
    take_due(candidates);
  }
}

std::uint32_t EndpointPicker::take_due(std::span<const Candidate> candidates) {
  std::uint32_t due = kNoEndpoint;
  for (std::uint32_t i = 0; i < schedule_.size(); ++i) {
    const Schedule& entry = schedule_[i];
    if (entry.weight == 0) continue;
    if (due == kNoEndpoint || entry.deadline < schedule_[due].deadline ||
        (entry.deadline == schedule_[due].deadline && entry.order < schedule_[due].order)) {
      due = i;
    }
  }
  Schedule& entry = schedule_[due];
  ++entry.picks;
  // A multiple, not a sum, while the rate is constant: equal deadlines stay equal.
  entry.deadline = algorithm_ == config::LoadBalancer::least_request
                       ? entry.deadline + 1 / rate(candidates[due])
                       : (static_cast<double>(entry.picks) + 1) / rate(candidates[due]);
  entry.order = ++schedule_order_;
  return due;
}

std::uint32_t EndpointPicker::pick_scheduled(std::span<const Candidate> candidates, bool uses_all,
                                             base::Random& random) {
  const auto is_current = [&] {
    if (schedule_.size() != candidates.size()) return false;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::uint32_t weight = uses_all || candidates[i].is_healthy ? weight_of(candidates[i]) : 0;
      if (schedule_[i].weight != weight) return false;
    }
    return true;
  };
  if (!is_current()) start_schedule(candidates, uses_all, random);
  return take_due(candidates);
}

std::uint32_t pick_avoiding(EndpointPicker& picker, std::span<const Candidate> candidates, std::uint32_t panic_percent,
                            std::span<const std::uint32_t> previous, base::Random& random) {
  std::uint32_t picked = picker.pick(candidates, panic_percent, random);
  for (int i = 0; i < kReselections && std::ranges::find(previous, picked) != previous.end(); ++i) {
    picked = picker.pick(candidates, panic_percent, random);
  }
  return picked;
}

}  // namespace proxy::policy
