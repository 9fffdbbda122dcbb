#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/telemetry/identity_table.h"
#include "agent/telemetry/node_state.h"
#include "agent/telemetry/page.h"
#include "agent/telemetry/series_registry.h"
#include "agent/telemetry/traffic_labels.h"
#include "agent/telemetry/traffic_writer.h"
#include "base/clock.h"
#include "telemetry/shared_memory.h"

namespace agent::telemetry {

struct ScrapeRequest {
  std::string_view accept;
  std::string_view accept_encoding;
};

// Headers of the answer; its status is 200, and `Vary: Accept, Accept-Encoding` belongs to it.
struct ScrapeHead {
  PageFormat format = PageFormat::text;
  std::string_view content_type;
  std::string_view content_encoding;  // gzip, or empty
};
ScrapeHead negotiate(const ScrapeRequest& request);

// The page behind /metrics and /stats/prometheus. Used on one thread, that of the admin endpoint: a large page takes
// tens of milliseconds, none of them the proxy's.
class MetricsPage {
 public:
  // `names` outlives this.
  MetricsPage(::telemetry::SharedMemory memory, const IdentityTable& names, TrafficLabelSettings settings);
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;

  // Hands the body to `sink` piece by piece; compressed if `head` says so.
  void write(const ScrapeHead& head, const NodeState& node, base::TimePoint now, const Page::Sink& sink);
  // The whole body at once.
  std::string render(const ScrapeHead& head, const NodeState& node, base::TimePoint now);

  // Call about every 10 s, so that idle series go also when nobody scrapes often.
  void maintain(base::TimePoint now) { registry_.collect(now); }
  void set_label_settings(TrafficLabelSettings settings);

 private:
  PodTcpRows pod_tcp(const NodeState& node);

  const IdentityTable& names_;
  TrafficLabelSettings settings_;
  SeriesRegistry registry_;
  std::size_t largest_page_ = 0;  // bytes of what render() made
  PodTcpRows kernel_tcp_;         // as they were when last seen
};

}  // namespace agent::telemetry
