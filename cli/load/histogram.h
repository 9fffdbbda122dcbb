#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

namespace cli::load {

// Counts durations in buckets of one or two leading digits (1.0, 1.1 ... 9.9 of each power of ten), from 1 µs to 1000
// s: constant memory, and percentiles that are wrong by a tenth of a bucket rather than a tenth of a value.
class Histogram {
 public:
  Histogram();

  void add(std::chrono::nanoseconds duration);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double sum() const { return sum_; }  // seconds, as everything below
  [[nodiscard]] double min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] double max() const { return max_; }
  [[nodiscard]] double average() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  [[nodiscard]] double standard_deviation() const;
  // Of `percent` of all values, none is larger; linear inside a bucket. 0 when empty.
  [[nodiscard]] double percentile(double percent) const;

  // Buckets merged to one leading digit, empty ones left out; the ends are cut to min() and max().
  struct Range {
    double from = 0, to = 0;
    std::uint64_t count = 0;
    double percentile = 0;  // of all values up to `to`
  };
  [[nodiscard]] std::vector<Range> ranges() const;

 private:
  static constexpr int kDecades = 9;
  static constexpr int kPerDecade = 90;
  static constexpr std::size_t kBuckets = kDecades * kPerDecade + 2;  // and one below, one above

  static std::size_t bucket_of(double seconds);
  static double lower_bound(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ = 0, sum_of_squares_ = 0, min_ = 0, max_ = 0;
};

}  // namespace cli::load
