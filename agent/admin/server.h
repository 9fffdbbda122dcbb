#pragma once

#include <memory>

#include "agent/admin/snapshot.h"
#include "agent/telemetry/identity_table.h"
#include "agent/telemetry/traffic_labels.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "telemetry/shared_memory.h"

namespace agent::admin {

// The admin endpoint: /metrics, /stats/prometheus, /healthz, /readyz, /config_dump, /clusters. On a thread of its own,
// so that a large page delays neither requests nor the supervision of the proxy. Reads only: no request changes
// anything. HTTP is Boost.Beast's. All methods are for the main thread.
class Server {
 public:
  // Listens; `ask` and `names` outlive it. Errc::io: the address is taken.
  static base::Result<std::unique_ptr<Server>> start(const base::SocketAddress& address, Ask ask,
                                                     const telemetry::IdentityTable& names);
  ~Server();  // ends the thread; answers under way are cut off

  // The counters to show from now on, mapped by a descriptor of their own.
  void show_counters(::telemetry::SharedMemory memory);
  void set_label_settings(telemetry::TrafficLabelSettings settings);

  [[nodiscard]] base::SocketAddress address() const;

 private:
  Server();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent::admin
