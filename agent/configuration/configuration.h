#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/configuration/called_services.h"
#include "agent/files/document_files.h"
#include "agent/kube/cluster.h"
#include "agent/node_view.h"
#include "agent/options.h"
#include "agent/pods/pod_instances.h"
#include "agent/telemetry/identity_table.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/document_store.h"
#include "config/documents.h"
#include "config/model/node_config.h"

namespace agent {

// What the documents of the files and of the cluster say, compiled for this node, generation after generation. On the
// main thread.
class Configuration {
 public:
  // `options` and `identities` outlive it. `want` is told the hosts of the services whose endpoints are needed.
  Configuration(const Options& options, telemetry::IdentityTable& identities,
                std::function<void(CalledServices::Hosts)> want);

  // Reads the files for the first time; `settings` are those from then on. Errors in documents are all printed;
  // Errc::invalid then.
  base::Result<> load();
  // Readable when files may have changed; take_changes() says whether they did.
  [[nodiscard]] int fd() const { return files_->fd(); }
  bool take_changes() { return files_->take_changes(); }
  // Reads the files again. Of a document that is refused, or whose file cannot be read, the last good version stays.
  void reload();
  // True: what is to be compiled may have changed, and not only pods came or went.
  bool set_cluster(std::shared_ptr<const kube::ClusterView> view);

  // From then on `config` and `settings` are what is known now. True: it is a new generation.
  bool compile();
  // A proxy has this generation already. The next one is later, and another one whatever is in it.
  void adopt(std::uint64_t generation, const std::vector<std::string>& hosts);

  // Nullptr before it is compiled for the first time.
  [[nodiscard]] const std::shared_ptr<const config::NodeConfig>& config() const { return config_; }
  // To be redirected once `config` is in force.
  [[nodiscard]] const std::vector<base::SocketAddress>& destinations() const { return destinations_; }
  [[nodiscard]] const config::Settings& settings() const { return documents_.settings; }

  [[nodiscard]] const std::vector<config::WorkloadDocument>& host_workloads() const {
    return store_.documents().workloads;
  }
  [[nodiscard]] const kube::ClusterView* cluster() const { return cluster_.get(); }
  // Where the workloads of the cluster begin in those of `config`.
  [[nodiscard]] std::uint32_t first_cluster_workload() const { return first_cluster_workload_; }
  CalledServices& called_services() { return called_services_; }

  // Fills in what it is about.
  void show(NodeView& view) const;

 private:
  void add_cluster_documents();
  void log_findings(const std::vector<config::Finding>& compiled);
  void name_endpoints();

  const Options& options_;
  telemetry::IdentityTable& identities_;
  std::function<void(CalledServices::Hosts)> want_;

  std::optional<DocumentFiles> files_;
  config::DocumentStore store_;
  std::shared_ptr<const kube::ClusterView> cluster_;
  std::uint32_t first_cluster_workload_ = 0;
  CalledServices called_services_;
  config::Documents documents_;  // all of them, as the command line changes them

  std::uint64_t generation_ = 0;
  std::shared_ptr<const config::NodeConfig> config_;
  std::vector<base::SocketAddress> destinations_;

  std::vector<config::Finding> findings_;
  std::optional<base::WallTime> last_success_;
  std::vector<NodeView::Rejects> rejects_;
};

}  // namespace agent
