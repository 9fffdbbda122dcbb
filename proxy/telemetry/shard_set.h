#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "telemetry/shard_layout.h"
#include "telemetry/shared_memory.h"

namespace proxy::telemetry {

// The proxy's side of the shared memory: which series exist, and one shard for each worker. Counters are those of the
// proxies that mapped the same memory before; what describes live connections starts at zero.
class ShardSet {
 public:
  // `memfd` comes from the agent. REQUIRES: no other live process writes it.
  static base::Result<std::unique_ptr<ShardSet>> attach(base::UniqueFd memfd);
  // For tests and tools: memory of its own.
  static base::Result<std::unique_ptr<ShardSet>> create_private(std::uint32_t workers = 1,
                                                                std::uint32_t max_series = 5000);
  ShardSet(const ShardSet&) = delete;
  ShardSet& operator=(const ShardSet&) = delete;
  ~ShardSet();

  [[nodiscard]] std::uint32_t workers() const;
  [[nodiscard]] const ::telemetry::SharedMemory& memory() const { return memory_; }

  struct Handle {
    std::uint32_t index = 0;
    std::uint64_t generation = 0;
    bool is_overflow = false;
  };
  // The slot of a series, claimed now if the node has less than `max_series` of all kinds, else the overflow slot.
  // Takes a lock: call once per series and worker, and keep the handle until retire_sequence changes.
  Handle resolve(::telemetry::Kind kind, const ::telemetry::SeriesKey& key, std::uint32_t max_series);
  // For SeriesKey::service: the index of an unknown host with kHostBit, or 0 when it is too long or there are too many.
  std::uint32_t resolve_host(std::string_view host);

  // This worker's row of a slot, cleared if it held an older series.
  ::telemetry::Word* row(std::uint32_t worker, ::telemetry::Kind kind, Handle handle);

 private:
  explicit ShardSet(::telemetry::SharedMemory memory);
  struct Index;
  ::telemetry::SharedMemory memory_;
  std::unique_ptr<Index> index_;
};

}  // namespace proxy::telemetry
