#include "proxy/snapshot.h"

namespace proxy {

base::Result<std::shared_ptr<const Snapshot>> Snapshot::build(std::shared_ptr<const config::NodeConfig> config,
                                                              base::TimePoint now) {
  auto snapshot = std::make_shared<Snapshot>();
  for (const config::RouteTable& table : config->route_tables) {
    auto built = policy::RouteTable::build(table);
    if (!built) return tl::unexpected(built.error());
    snapshot->route_tables.push_back(std::move(*built));
  }
  for (std::uint32_t i = 0; i < config->services.size(); ++i) {
    const config::Service& service = config->services[i];
    for (const base::IpAddress& vip : service.vips) {
      for (const config::ServicePort& port : service.ports) {
        snapshot->service_by_address.emplace(base::SocketAddress{vip, port.number}, i);
      }
    }
  }
  snapshot->config = std::move(config);
  snapshot->applied_at = now;
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

const config::Service* Snapshot::service_of(const base::SocketAddress& destination) const {
  const auto found = service_by_address.find(destination);
  return found == service_by_address.end() ? nullptr : &config->services[found->second];
}

}  // namespace proxy
