#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/admin/server.h"
#include "agent/files/document_files.h"
#include "agent/handover/handover.h"
#include "agent/kube/cluster.h"
#include "agent/node_view.h"
#include "agent/options.h"
#include "agent/proxy_supervisor/supervisor.h"
#include "agent/redirection/redirection.h"
#include "agent/runtime_dir.h"
#include "agent/telemetry/identity_table.h"
#include "config/compile/compile.h"
#include "config/document_store.h"

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
  base::Result<> load();
  base::Result<> start_cluster();
  base::Result<> claim_node();
  std::vector<channel::AddListener> give_node_away();
  void on_cluster_change(std::shared_ptr<const kube::ClusterView> view);
  void find_service(const base::IpAddress& address);
  void adopt_services(const channel::ProxyHello& hello);
  config::CompileResult compile(const std::set<std::string, std::less<>>& called);
  void add_cluster_documents();
  void answer_pending_services();
  void name_endpoints();
  void reload();
  void compile_and_apply();
  void find_instances();
  void sync_pod_listeners();
  void send_sockets(const channel::NeedSockets& needed);
  std::vector<Instance> trial_instances() const;
  base::Result<> start_proxy();
  base::Result<> add_listeners();
  void open_access_log();
  base::Result<> start_admin();
  void answer_admin(std::function<void(admin::Snapshot)> answer);
  [[nodiscard]] std::shared_ptr<const NodeView> view() const;
  void watch(std::unique_ptr<boost::asio::posix::stream_descriptor>& descriptor, int fd,
             std::function<void()> on_readable);
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
  std::optional<RuntimeDir> host_runtime_dir_;  // in a container, whose own is runtime_dir_
  std::unique_ptr<HandoverServer> handover_;
  std::vector<channel::AddListener> inherited_;  // from the agent before this one
  bool has_given_node_away_ = false;
  std::optional<RuntimeDir> runtime_dir_;

  // documents
  std::optional<DocumentFiles> files_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> files_readable_;
  config::DocumentStore store_;
  config::Documents documents_;  // as the command line changes them
  telemetry::IdentityTable identities_;
  std::shared_ptr<const config::NodeConfig> config_;
  std::vector<base::SocketAddress> destinations_;  // of config_, to be redirected once it is in force
  std::vector<config::Finding> findings_;
  std::optional<base::WallTime> last_success_;
  std::vector<NodeView::Rejects> rejects_;
  std::uint64_t generation_ = 0;

  // who is on this host
  std::optional<Redirection> redirection_;  // none with --no-bpf
  std::unique_ptr<boost::asio::posix::stream_descriptor> cgroups_readable_;
  std::vector<Instance> instances_;

  std::unique_ptr<ProxySupervisor> supervisor_;
  std::string access_log_path_;
  bool is_announced_ = false;
  std::uint64_t announced_generation_ = 0;

  // the cluster
  std::shared_ptr<const kube::ClusterView> cluster_view_;
  std::uint32_t cluster_workloads_ = 0;        // where the cluster's workloads begin in documents_
  std::set<std::string, std::less<>> called_;  // hosts of services that connections came for
  std::set<std::string, std::less<>> ready_;   // of these, the ones whose endpoints were there when last compiled
  base::TimePoint adopts_services_until_;      // the proxy keeps its own until these are complete, or till then
  bool config_is_held_back_ = false;
  std::vector<std::pair<base::IpAddress, std::string>> pending_services_;  // asked for by the proxy, and their hosts
  boost::asio::steady_timer look_again_, adoption_timer_;
  std::chrono::milliseconds look_again_after_{0};
  std::set<std::uint64_t> pod_listeners_;   // ids
  std::unique_ptr<kube::Cluster> cluster_;  // its thread posts to context_

  std::unique_ptr<admin::Server> admin_;  // last: its thread ends before what it asks for
};

}  // namespace agent
