#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "config/model/node_config.h"
#include "proxy/policy/route_match.h"

namespace proxy {

// One generation, ready to serve: built on the control thread, immutable, shared by the workers.
struct Snapshot {
  static base::Result<std::shared_ptr<const Snapshot>> build(std::shared_ptr<const config::NodeConfig> config,
                                                             base::TimePoint now);

  // Whose address and port this is. Endpoints of several headless services may be in one pod.
  [[nodiscard]] const config::Service* service_of(const base::SocketAddress& destination) const;
  [[nodiscard]] const policy::RouteTable& routes_of(const config::Workload& workload) const {
    return *route_tables[workload.route_table];
  }

  std::shared_ptr<const config::NodeConfig> config;
  std::vector<std::unique_ptr<policy::RouteTable>> route_tables;  // parallel to config->route_tables
  std::unordered_map<base::SocketAddress, std::uint32_t> service_by_address;
  base::TimePoint applied_at;  // sweeps of outlier detection count from here
};

}  // namespace proxy
