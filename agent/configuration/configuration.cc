#include "agent/configuration/configuration.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "config/compile/compile.h"

namespace agent {
namespace {

using base::Errc;
using base::Result;

void log_finding(const config::Finding& finding) {
  switch (finding.severity) {
    case config::Severity::error:
      spdlog::error("{}", finding.to_string());
      break;
    case config::Severity::warning:
      spdlog::warn("{}", finding.to_string());
      break;
    case config::Severity::info:
      spdlog::info("{}", finding.to_string());
      break;
  }
}

}  // namespace

Configuration::Configuration(const Options& options, telemetry::IdentityTable& identities,
                             std::function<void(CalledServices::Hosts)> want)
    : options_(options), identities_(identities), want_(std::move(want)) {}

Result<> Configuration::load() {
  auto files = DocumentFiles::open(options_.documents);
  if (!files) return tl::unexpected(files.error());
  files_ = std::move(*files);
  store_.update(files_->read());
  documents_ = store_.documents();
  options_.apply_to(documents_.settings);
  if (!store_.has_errors()) {
    last_success_ = base::wall_now();
    return {};
  }
  std::size_t errors = 0;
  for (const config::Finding& finding : store_.findings()) {
    if (finding.severity != config::Severity::error) continue;
    std::fprintf(stderr, "%s\n", finding.to_string().c_str());
    ++errors;
  }
  return base::fail(Errc::invalid, std::to_string(errors) + (errors == 1 ? " error" : " errors") +
                                       " in the documents; nothing was started");
}

void Configuration::reload() {
  store_.update(files_->read());
  if (!store_.has_errors()) last_success_ = base::wall_now();
  for (const config::Finding& finding : store_.findings()) {
    if (finding.severity != config::Severity::error) continue;
    const std::string kind = finding.document.substr(0, finding.document.find(' '));
    const std::string reason(config::to_string(finding.reason));
    const auto same = std::find_if(rejects_.begin(), rejects_.end(),
                                   [&](const auto& each) { return each.kind == kind && each.reason == reason; });
    if (same != rejects_.end()) {
      ++same->count;
    } else {
      rejects_.push_back({kind, reason, 1});
    }
  }
}

bool Configuration::set_cluster(std::shared_ptr<const kube::ClusterView> view) {
  const bool is_same = cluster_ && cluster_->documents_revision == view->documents_revision;
  cluster_ = std::move(view);
  if (cluster_->is_synced()) last_success_ = base::wall_now();
  return !is_same;
}

bool Configuration::compile() {
  documents_ = store_.documents();
  options_.apply_to(documents_.settings);
  if (!options_.as_name.empty() && documents_.find_workload(options_.as_name, options_.as_namespace) == nullptr) {
    config::WorkloadDocument workload = config::undeclared_workload(options_.as_name, options_.as_namespace);
    if (!options_.as_labels.empty()) workload.metadata.labels = options_.as_labels;
    documents_.workloads.push_back(std::move(workload));
  }
  if (cluster_) add_cluster_documents();
  config::CompileResult compiled =
      cluster_ ? called_services_.compile(documents_, *cluster_, want_) : config::compile(documents_, 0);
  identities_.assign(compiled.config);
  if (cluster_) name_endpoints();
  log_findings(compiled.findings);

  destinations_ = std::move(compiled.destinations);
  // Most of what happens in a cluster changes nothing here.
  compiled.config.generation = generation_;
  if (config_ && *config_ == compiled.config) return false;
  compiled.config.generation = ++generation_;
  config_ = std::make_shared<const config::NodeConfig>(std::move(compiled.config));
  return true;
}

void Configuration::adopt(std::uint64_t generation, const std::vector<std::string>& hosts) {
  generation_ = std::max(generation_, generation);
  config_ = nullptr;
  if (cluster_) called_services_.adopt(hosts, base::now());
}

void Configuration::add_cluster_documents() {
  const config::Documents& cluster = cluster_->documents;
  first_cluster_workload_ = static_cast<std::uint32_t>(documents_.workloads.size());
  documents_.workloads.insert(documents_.workloads.end(), cluster.workloads.begin(), cluster.workloads.end());
  documents_.virtual_services.append(cluster.virtual_services);
  documents_.destination_rules.append(cluster.destination_rules);
  documents_.service_entries.append(cluster.service_entries);
  documents_.services.append(cluster.services);
  documents_.endpoint_slices.append(cluster.endpoint_slices);
}

// What was said before is not said again.
void Configuration::log_findings(const std::vector<config::Finding>& compiled) {
  std::set<std::string> known;
  for (const config::Finding& finding : findings_) known.insert(finding.to_string());
  findings_ = store_.findings();
  if (cluster_) findings_.insert(findings_.end(), cluster_->findings.begin(), cluster_->findings.end());
  findings_.insert(findings_.end(), compiled.begin(), compiled.end());
  for (const config::Finding& finding : findings_) {
    if (!known.contains(finding.to_string())) log_finding(finding);
  }
}

// The rows of endpoints say which pod is meant.
void Configuration::name_endpoints() {
  for (const config::EndpointSlice& slice : cluster_->documents.endpoint_slices) {
    for (const config::EndpointDeclaration& endpoint : slice.endpoints) {
      if (endpoint.pod.empty()) continue;
      for (const auto& [name, port] : slice.ports) {
        identities_.set_endpoint_pod({endpoint.address, port}, slice.metadata.name_space, endpoint.pod);
      }
    }
  }
}

void Configuration::show(NodeView& view) const {
  view.config = config_;
  view.settings = documents_.settings;
  view.documents = store_.statuses();
  view.rejects = rejects_;
  if (cluster_) {
    view.watches = cluster_->watches;
    view.watches.insert(view.watches.end(), cluster_->called_watches.begin(), cluster_->called_watches.end());
    const auto& statuses = cluster_->statuses;
    view.documents.insert(view.documents.end(), statuses.begin(), statuses.end());
    for (const config::ObjectStore::Rejects& reject : cluster_->rejects) {
      view.rejects.push_back({reject.kind, std::string(config::to_string(reject.reason)), reject.count});
    }
  }
  view.findings = findings_;
  view.last_success = last_success_;
}

}  // namespace agent
