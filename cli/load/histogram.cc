#include "cli/load/histogram.h"

#include <algorithm>
#include <cmath>

namespace cli::load {
namespace {

constexpr double kSmallest = 1e-6;

}  // namespace

Histogram::Histogram() = default;

std::size_t Histogram::bucket_of(double seconds) {
  if (seconds < kSmallest) return 0;
  double scaled = seconds / kSmallest;
  for (int decade = 0; decade < kDecades; ++decade, scaled /= 10) {
    // The nudge keeps 1.2 in bucket 1.2 although 0.0012 / 1e-6 / 10... is a hair below.
    const double tenths = scaled * 10 + 1e-9;
    if (tenths < 100) return static_cast<std::size_t>(1 + decade * kPerDecade + static_cast<int>(tenths) - 10);
  }
  return kBuckets - 1;
}

double Histogram::lower_bound(std::size_t bucket) {
  if (bucket == 0) return 0;
  const auto index = static_cast<int>(bucket) - 1;
  return kSmallest * std::pow(10, index / kPerDecade) * (10 + index % kPerDecade) / 10;
}

void Histogram::add(std::chrono::nanoseconds duration) {
  const double seconds = std::max(0.0, std::chrono::duration<double>(duration).count());
  ++buckets_[bucket_of(seconds)];
  min_ = count_ == 0 ? seconds : std::min(min_, seconds);
  max_ = std::max(max_, seconds);
  ++count_;
  sum_ += seconds;
  sum_of_squares_ += seconds * seconds;
}

double Histogram::standard_deviation() const {
  if (count_ == 0) return 0;
  const auto n = static_cast<double>(count_);
  const double mean = sum_ / n;
  return std::sqrt(std::max(0.0, sum_of_squares_ / n - mean * mean));
}

double Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = percent / 100 * static_cast<double>(count_);
  double seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const auto here = static_cast<double>(buckets_[bucket]);
    if (here > 0 && seen + here >= wanted) {
      const double from = std::max(lower_bound(bucket), min_);
      const double to = bucket + 1 < kBuckets ? std::min(lower_bound(bucket + 1), max_) : max_;
      return from + (to - from) * std::max(0.0, wanted - seen) / here;
    }
    seen += here;
  }
  return max_;
}

std::vector<Histogram::Range> Histogram::ranges() const {
  std::vector<Range> ranges;
  std::uint64_t seen = 0;
  // Ten buckets share a leading digit; the one below and the one above stand alone.
  for (std::size_t first = 0; first < kBuckets;) {
    const std::size_t end = first == 0 ? 1 : std::min(first + 10, kBuckets);
    std::uint64_t here = 0;
    for (std::size_t bucket = first; bucket < end; ++bucket) here += buckets_[bucket];
    if (here > 0) {
      seen += here;
      const double upper = end < kBuckets ? std::min(lower_bound(end), max_) : max_;
      ranges.push_back({std::max(lower_bound(first), min_), upper, here,
                        100 * static_cast<double>(seen) / static_cast<double>(count_)});
    }
    first = end;
  }
  return ranges;
}

}  // namespace cli::load
