#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/telemetry/identity_table.h"
#include "config/settings.h"
#include "telemetry/shard_layout.h"

namespace agent::telemetry {

// telemetry.dropLabels: of these only (OBSERVABILITY 3).
struct DroppedLabels {
  bool version = false;
  bool app = false;
  bool principal = false;
};

struct TrafficLabelSettings {
  std::string cluster_name = "Kubernetes";
  DroppedLabels dropped;
};
TrafficLabelSettings label_settings(const config::Settings& settings);

// `host` is the text of an unknown host, empty if the key names none. Ids that stand for nothing give `unknown`.
std::string traffic_labels(::telemetry::Kind kind, const ::telemetry::SeriesKey& key, const IdentityTable& names,
                           const TrafficLabelSettings& settings, const std::string& host);

// The pod or workload that caused the series is no longer on this node.
bool is_gone(::telemetry::Kind kind, const ::telemetry::SeriesKey& key, const IdentityTable& names);

}  // namespace agent::telemetry
