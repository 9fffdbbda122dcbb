#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/files/document_files.h"
#include "agent/node_view.h"
#include "agent/options.h"
#include "agent/proxy_supervisor/supervisor.h"
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
  void reload();
  void compile_and_apply();
  void open_access_log();
  base::Result<> open_trial_listeners();
  void publish_view();
  void watch_files();
  void watch_signals();
  void announce(std::uint64_t generation);
  void stop();

  Options options_;
  boost::asio::io_context context_;
  boost::asio::signal_set signals_;
  std::optional<DocumentFiles> files_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> files_readable_;
  config::DocumentStore store_;
  config::IdentityTable compile_ids_;
  telemetry::IdentityTable identities_;
  std::shared_ptr<const config::NodeConfig> config_;
  config::Settings settings_;
  std::vector<config::Finding> findings_;
  std::vector<Instance> instances_;
  std::optional<base::WallTime> last_success_;
  std::vector<NodeView::Rejects> rejects_;
  std::unique_ptr<ProxySupervisor> supervisor_;
  std::string access_log_path_;
  std::uint64_t generation_ = 0;
  bool is_announced_ = false;

  std::mutex view_mutex_;
  std::shared_ptr<const NodeView> view_;  // guarded by view_mutex_
};

}  // namespace agent
