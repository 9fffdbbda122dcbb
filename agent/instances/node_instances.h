#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "agent/node_view.h"
#include "agent/options.h"
#include "agent/pods/pod_instances.h"
#include "agent/proxy_supervisor/supervisor.h"
#include "agent/redirection/redirection.h"
#include "agent/telemetry/identity_table.h"
#include "base/result.h"
#include "channel/messages.h"
#include "config/documents.h"
#include "config/model/node_config.h"

namespace agent {

// The instances of workloads on this node, with their listeners and the sockets for connections on their behalf. The
// proxy hears of an instance before the kernel sends it connections, and of its end after the last. On the main thread.
class NodeInstances {
 public:
  // What all of them are found from.
  struct Sources {
    const config::NodeConfig& config;
    const std::vector<config::WorkloadDocument>& host_workloads;
    std::span<const LocalPod> pods;
    std::uint32_t first_pod_workload = 0;  // where their workloads begin in `config`
  };
  // What it is given outlives it; no `redirection`: all there is are the listeners of a trial. A listener has a socket
  // for each of `workers`. `look_again` is called when it pays to call update() once more although nothing has changed:
  // a pod is just starting.
  NodeInstances(boost::asio::io_context& context, const Options& options, Redirection* redirection,
                ProxySupervisor& supervisor, telemetry::IdentityTable& identities, std::uint32_t workers,
                std::function<void()> look_again);

  void update(const Sources& sources);
  // Those that all workloads of a host or a trial share; pods have their own. After the first update().
  base::Result<> add_shared_listeners();
  // The proxy needs sockets of a pod's namespace.
  void send_sockets(const channel::NeedSockets& needed);
  // Another agent has them now.
  void stop();

  [[nodiscard]] const std::vector<Instance>& all() const { return instances_; }

 private:
  [[nodiscard]] std::vector<Instance> trial_instances() const;
  bool find(const Sources& sources);  // true: should look again
  void tell_proxy(const config::NodeConfig& config);
  void sync_pod_listeners();
  void expect_more(bool should_look_again);

  const Options& options_;
  Redirection* redirection_;
  ProxySupervisor& supervisor_;
  telemetry::IdentityTable& identities_;
  std::function<void()> look_again_;
  std::uint32_t workers_;
  bool is_stopped_ = false;

  std::vector<Instance> instances_;
  std::set<std::uint64_t> pod_listeners_;  // ids
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds look_again_after_{0};
};

}  // namespace agent
