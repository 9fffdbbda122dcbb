#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/telemetry/page.h"
#include "agent/telemetry/series_registry.h"
#include "telemetry/shard_layout.h"

namespace agent::telemetry {

// By label text.
using PodTcpRows = std::map<std::string, ::telemetry::PodTcp, std::less<>>;

// Writes the families that workers count by key, from the registry.
class TrafficWriter {
 public:
  TrafficWriter(Page& page, const SeriesRegistry& registry) : page_(page), registry_(registry) {}

  void write_istio();
  void write_pods();
  void write_pod_tcp(const PodTcpRows& rows);
  void write_endpoints();
  void write_services();

 private:
  [[nodiscard]] const SeriesRegistry::LabelSets& sets(::telemetry::Kind kind) const {
    return registry_.label_sets(kind);
  }
  static std::span<const std::uint64_t> words(const SeriesRegistry::LabelSet& set, std::size_t first,
                                              std::size_t count);
  void write_counter(const Family& family, ::telemetry::Kind kind, std::size_t word);
  void write_gauge(const Family& family, ::telemetry::Kind kind, std::size_t word);
  template <typename Histogram>
  void write_histogram(const Family& family, ::telemetry::Kind kind, std::size_t first,
                       const std::vector<std::string>& bounds, double divisor);
  // One sample for each value of a label that a row has a word for.
  template <std::size_t kCount>
  void write_by(const Family& family, ::telemetry::Kind kind, std::size_t first, std::string_view name,
                const std::array<std::string_view, kCount>& values);

  Page& page_;
  const SeriesRegistry& registry_;
};

}  // namespace agent::telemetry
