#pragma once

#include <cstdint>

#include "agent/telemetry/node_state.h"
#include "agent/telemetry/page.h"
#include "agent/telemetry/series_registry.h"
#include "telemetry/shared_memory.h"

namespace agent::telemetry {

// Writes the families that workers count without a key, and those about the series themselves.
class WorkerWriter {
 public:
  WorkerWriter(Page& page, const SeriesRegistry& registry)
      : page_(page), registry_(registry), memory_(registry.memory()) {}

  void write_connections();
  void write_original_destination_misses();
  void write_shortages();
  void write_access_log();
  void write_series();
  void write_loop_lag(const LoopLag& agent);

 private:
  static std::uint64_t get(const ::telemetry::Word& word) { return word.load(std::memory_order_relaxed); }
  template <typename Get>
  std::uint64_t sum(Get get_of) const;

  Page& page_;
  const SeriesRegistry& registry_;
  const ::telemetry::SharedMemory& memory_;
};

}  // namespace agent::telemetry
