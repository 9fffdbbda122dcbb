#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "telemetry/shard_layout.h"
#include "telemetry/shared_memory.h"

namespace agent::telemetry {

// The counters of all workers as label sets: read from shared memory, added up, and removed again when nobody uses
// them (OBSERVABILITY 3). Numbers that make no sense stay numbers: whatever the memory holds, reading it is safe.
// Used on one thread.
class SeriesRegistry {
 public:
  static constexpr std::chrono::minutes kIdleTime{15};

  // The label text of a series, and whether who it is about has left the node.
  using LabelFunction = std::function<std::string(::telemetry::Kind, const ::telemetry::SeriesKey&)>;
  using GoneFunction = std::function<bool(::telemetry::Kind, const ::telemetry::SeriesKey&)>;

  SeriesRegistry(::telemetry::SharedMemory memory, LabelFunction labels, GoneFunction is_gone);

  // Reads everything, and marks what is to go. Call at a scrape, and about every 10 s.
  void collect(base::TimePoint now);
  // What collect() read last has reached a reader.
  void mark_scraped();
  // The label function gives other texts now.
  void relabel();

  // One row of a kind's families: several series with the same labels are one. `values` has the words of a row.
  struct LabelSet {
    std::vector<std::uint64_t> values;
    std::vector<std::uint64_t> base;  // of members that are gone while others remain
    std::uint32_t members = 0;
  };
  using LabelSets = std::map<std::string, LabelSet, std::less<>>;  // by label text
  [[nodiscard]] const LabelSets& label_sets(::telemetry::Kind kind) const {
    return kinds_[static_cast<std::size_t>(kind)].sets;
  }

  [[nodiscard]] const ::telemetry::SharedMemory& memory() const { return memory_; }
  [[nodiscard]] std::uint64_t expired(::telemetry::Kind kind) const {
    return kinds_[static_cast<std::size_t>(kind)].expired;
  }
  [[nodiscard]] std::uint64_t series_bytes() const;
  // Empty when there is no such host.
  [[nodiscard]] std::string unknown_host(std::uint32_t index) const;

 private:
  struct Series {
    std::uint64_t generation = 0;  // 0: none
    ::telemetry::SeriesKey key;
    LabelSets::iterator set;
    std::vector<std::uint64_t> values;
    base::TimePoint last_change;
    bool is_scraped = false;
    std::uint64_t retire_sequence = 0;  // 0: not retiring
  };
  struct PerKind {
    std::vector<Series> series;  // by slot index
    LabelSets sets;
    std::uint64_t expired = 0;
  };

  void collect(::telemetry::Kind kind, base::TimePoint now);
  void add_up(::telemetry::Kind kind);
  void retire(::telemetry::Kind kind, std::uint32_t index, Series& series, base::TimePoint now);
  void remove(PerKind& kind, Series& series);
  void read_values(::telemetry::Kind kind, std::uint32_t index, std::uint64_t generation);  // into sum_
  [[nodiscard]] bool has_live_gauge(::telemetry::Kind kind, const Series& series) const;
  [[nodiscard]] bool workers_have_seen(std::uint64_t retire_sequence) const;

  ::telemetry::SharedMemory memory_;
  LabelFunction labels_;
  GoneFunction is_gone_;
  std::array<PerKind, ::telemetry::kKinds> kinds_;
  std::vector<std::uint64_t> sum_, row_;  // of read_values()
  bool has_new_retirements_ = false;
};

}  // namespace agent::telemetry
