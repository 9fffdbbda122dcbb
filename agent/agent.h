#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/admin/server.h"
#include "agent/configuration/configuration.h"
#include "agent/handover/node_claim.h"
#include "agent/instances/node_instances.h"
#include "agent/instances/not_captured.h"
#include "agent/kube/cluster.h"
#include "agent/node_view.h"
#include "agent/options.h"
#include "agent/proxy_supervisor/supervisor.h"
#include "agent/redirection/redirection.h"
#include "agent/runtime_dir.h"
#include "agent/telemetry/identity_table.h"

namespace agent {

// The agent's main thread: documents in, one configuration out to the proxy, and the proxy's life.
class Agent {
 public:
  explicit Agent(Options options);
  ~Agent();

  // Reads the documents and starts everything. Errors in documents are all printed; Errc::invalid then.
  base::Result<> start();
  // Until SIGTERM or SIGINT; then ends everything in order.
  void run();

 private:
  base::Result<> start_cluster();
  std::vector<channel::AddListener> give_node_away();
  void on_cluster_change(std::shared_ptr<const kube::ClusterView> view);
  void find_service(const base::IpAddress& address);
  void forget_idle_services(const std::vector<std::string>& in_use);
  void adopt_services(const channel::ProxyHello& hello);
  void reload();
  void reload_soon();
  void compile_and_apply();
  void update_instances();
  base::Result<> start_everything();
  base::Result<> open_redirection();
  base::Result<> start_proxy();
  void open_access_log();
  base::Result<> start_admin();
  void answer_admin(std::function<void(admin::Snapshot)> answer);
  [[nodiscard]] std::shared_ptr<const NodeView> view() const;
  void watch_signals();
  void watch_lag();
  void on_applied(std::uint64_t generation);
  void stop();
  [[nodiscard]] std::uint32_t workers() const;

  Options options_;
  boost::asio::io_context context_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer lag_timer_;
  telemetry::LoopLag loop_lag_;
  std::unique_ptr<NodeClaim> claim_;  // in a container, where runtime_dir_ is not the node's
  bool has_given_node_away_ = false;
  std::optional<RuntimeDir> runtime_dir_;

  telemetry::IdentityTable identities_;
  Configuration configuration_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> files_readable_;
  boost::asio::steady_timer reload_timer_;
  bool is_reload_due_ = false;
  bool config_is_held_back_ = false;  // while the proxy is better off with what it has
  boost::asio::steady_timer adoption_timer_;

  std::optional<Redirection> redirection_;  // none with --no-bpf
  bool found_pins_ = false;                 // of an earlier agent
  std::unique_ptr<boost::asio::posix::stream_descriptor> cgroups_readable_;
  std::unique_ptr<ProxySupervisor> supervisor_;
  std::unique_ptr<NodeInstances> instances_;  // as soon as there is a supervisor
  NotCaptured not_captured_;
  std::string access_log_path_;
  bool is_announced_ = false;
  std::uint64_t announced_generation_ = 0;

  std::unique_ptr<kube::Cluster> cluster_;  // its thread posts to context_
  std::unique_ptr<admin::Server> admin_;    // last: its thread ends before what it asks for
};

}  // namespace agent
