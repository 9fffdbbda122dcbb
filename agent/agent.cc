#include "agent/agent.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "agent/pods/host_instances.h"
#include "agent/proxy_supervisor/listeners.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Errc;
using base::Result;
using base::UniqueFd;

constexpr std::chrono::milliseconds kTrialDrain{300};
constexpr std::chrono::seconds kDrain{5};
constexpr std::chrono::seconds kAdoptServices{3};
constexpr std::chrono::seconds kHandoverPatience{10};
constexpr std::chrono::seconds kDrainAtHandover{20};
constexpr std::chrono::milliseconds kLagInterval{500};
// A pod's first process is about to enter its network namespace.
constexpr std::chrono::milliseconds kLookAgainSoon{2}, kLookAgainLate{100};
constexpr std::uint64_t kPodListener = std::uint64_t{1} << 63U;  // ids of listeners in pods
constexpr std::uint32_t kMostSockets = 200;                      // fit into one message

// The program of this name beside the running one.
std::string sibling(const char* name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

// The proxy opens no files: it gets this descriptor. Nothing that is slow to read may make it wait: our own output is
// opened once more, so that not waiting is only about us.
Result<UniqueFd> open_log(const std::string& path) {
  const bool is_output = path == "-" || path == "/dev/stdout";
  const int ours = is_output ? STDOUT_FILENO : path == "/dev/stderr" ? STDERR_FILENO : -1;
  const std::string name = ours < 0 ? path : "/proc/self/fd/" + std::to_string(ours);
  UniqueFd file(::open(name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (file) return file;
  if (ours < 0 || errno != ENXIO) return base::fail_errno("open the access log " + path);
  // A socket, as under systemd: it cannot be opened again.
  file.reset(::fcntl(ours, F_DUPFD_CLOEXEC, 0));
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_NONBLOCK);
  return file;
}

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

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::uint32_t workload_index(const config::NodeConfig& config, const Instance& instance) {
  const auto found = std::find_if(config.workloads.begin(), config.workloads.end(), [&](const config::Workload& each) {
    return each.name == instance.workload && each.name_space == instance.pod.name_space;
  });
  return static_cast<std::uint32_t>(found - config.workloads.begin());
}

std::vector<Instance> host_instances(const std::vector<config::WorkloadDocument>& workloads,
                                     std::span<const std::string> cgroups) {
  std::vector<Instance> instances;
  for (HostInstance& found : find_host_instances(workloads, cgroups)) {
    Instance& instance = instances.emplace_back();
    instance.workload = std::move(found.workload);
    instance.pod.name = std::move(found.name);
    instance.pod.name_space = std::move(found.name_space);
    instance.cgroup = std::move(found.cgroup);
    instance.reason = std::move(found.reason);
    if (!instance.reason.empty()) instance.state = InstanceState::skipped;
  }
  return instances;
}

telemetry::TrafficLabelSettings label_settings(const config::Settings& settings) {
  const auto drops = [&](std::string_view label) {
    return std::find(settings.drop_labels.begin(), settings.drop_labels.end(), label) != settings.drop_labels.end();
  };
  return {.cluster_name = settings.proxy.cluster_name,
          .dropped = {.version = drops("source_version") || drops("destination_version"),
                      .app = drops("source_app") || drops("destination_app"),
                      .principal = drops("source_principal") || drops("destination_principal")}};
}

}  // namespace

Agent::Agent(Options options)
    : options_(std::move(options)),
      signals_(context_, SIGTERM, SIGINT, SIGHUP),
      lag_timer_(context_),
      look_again_(context_),
      adoption_timer_(context_) {}
Agent::~Agent() = default;

std::uint32_t Agent::workers() const {
  const std::uint32_t wanted = documents_.settings.workers;
  return wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
}

Result<> Agent::start() {
  watch_signals();
  if (auto loaded = load(); !loaded) return loaded;
  if (options_.is_kubernetes) {
    // First what takes long: while the node changes hands, connections wait.
    if (auto started = start_cluster(); !started) return started;
    while (!cluster_view_ || !cluster_view_->is_synced()) {
      if (context_.run_one() == 0) return base::fail(Errc::unavailable, "ended before the cluster was read");
    }
  }
  if (auto claimed = claim_node(); !claimed) return claimed;
  auto claimed = RuntimeDir::claim(options_.runtime_dir);
  if (!claimed) return tl::unexpected(claimed.error());
  runtime_dir_.emplace(std::move(*claimed));
  if (options_.uses_bpf) {
    auto redirection = Redirection::open({.cgroup2 = options_.cgroup2, .proc = options_.proc});
    if (!redirection) return tl::unexpected(redirection.error());
    redirection_.emplace(std::move(*redirection));
  }
  compile_and_apply();
  if (options_.has_admin) {
    if (auto started = start_admin(); !started) return started;
  }
  if (auto started = start_proxy(); !started) return started;
  if (auto added = add_listeners(); !added) return added;
  watch(files_readable_, files_->fd(), [this] {
    if (files_->take_changes()) reload();
  });
  if (redirection_) {
    watch(cgroups_readable_, redirection_->fd(), [this] {
      if (redirection_->take_changes()) find_instances();
    });
  }
  watch_lag();
  return {};
}

Result<> Agent::start_proxy() {
  ProxySupervisor::Settings settings;
  if (!options_.has_external_proxy) settings.program = sibling("fairlead-proxy");
  settings.socket_path = runtime_dir_->socket();
  settings.workers = workers();
  settings.ends_with_agent = options_.owns_runtime_dir;
  if (redirection_ && !options_.has_external_proxy)
    settings.place = [this](pid_t pid) { return redirection_->place_proxy(pid); };
  supervisor_ = std::make_unique<ProxySupervisor>(
      context_, std::move(settings),
      ProxySupervisor::Callbacks{
          .applied = [this](std::uint64_t generation) { on_applied(generation); },
          .refused = [](const std::string& error) { spdlog::error("the proxy refuses the configuration: {}", error); },
          .listening =
              [this](int socket) {
                if (!redirection_) return;
                auto registered = redirection_->register_listener(socket);
                if (!registered) spdlog::error("{}", registered.error().message);
              },
          .counting =
              [this](const ::telemetry::SharedMemory& memory) {
                if (!admin_) return;
                auto copy = memory.duplicate_fd().and_then(::telemetry::SharedMemory::open);
                if (copy) {
                  admin_->show_counters(std::move(*copy));
                } else {
                  spdlog::error("no counters are shown: {}", copy.error().message);
                }
              },
          .passing =
              [this] {
                if (redirection_) redirection_->pass();
              },
          .adopting = [this](const channel::ProxyHello& hello) { adopt_services(hello); },
          .need_sockets = [this](const channel::NeedSockets& needed) { send_sockets(needed); },
          .find_service = [this](const channel::FindService& wanted) { find_service(wanted.address); }});
  supervisor_->inherit(std::exchange(inherited_, {}));
  supervisor_->set_config(config_);
  open_access_log();
  if (auto started = supervisor_->start(!options_.owns_runtime_dir); !started) return started;
  find_instances();
  return {};
}

Result<> Agent::load() {
  auto files = DocumentFiles::open(options_.documents);
  if (!files) return tl::unexpected(files.error());
  files_ = std::move(*files);
  auto read = files_->read();
  if (!read) return tl::unexpected(read.error());
  store_.update(*read);
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

void Agent::reload() {
  auto read = files_->read();
  if (!read) {  // a file that vanished between listing and reading: its own event follows
    spdlog::warn("{}", read.error().message);
    return;
  }
  store_.update(*read);
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
  compile_and_apply();
}

void Agent::compile_and_apply() {
  documents_ = store_.documents();
  options_.apply_to(documents_.settings);
  if (!options_.as_name.empty() && documents_.find_workload(options_.as_name, options_.as_namespace) == nullptr) {
    config::WorkloadDocument workload = config::undeclared_workload(options_.as_name, options_.as_namespace);
    if (!options_.as_labels.empty()) workload.metadata.labels = options_.as_labels;
    documents_.workloads.push_back(std::move(workload));
  }
  if (cluster_view_) add_cluster_documents();
  config::CompileResult compiled = compile(called_);
  identities_.assign(compiled.config);

  // What was said before is not said again.
  std::set<std::string> known;
  for (const config::Finding& finding : findings_) known.insert(finding.to_string());
  findings_ = store_.findings();
  if (cluster_view_) {
    findings_.insert(findings_.end(), cluster_view_->findings.begin(), cluster_view_->findings.end());
  }
  findings_.insert(findings_.end(), compiled.findings.begin(), compiled.findings.end());
  for (const config::Finding& finding : findings_) {
    if (!known.contains(finding.to_string())) log_finding(finding);
  }
  // Most of what happens in a cluster changes nothing here.
  compiled.config.generation = generation_;
  const bool is_adopting = base::now() < adopts_services_until_ && ready_ != called_;
  const bool is_same = config_ && *config_ == compiled.config;
  if (!is_same) {
    compiled.config.generation = ++generation_;
    config_ = std::make_shared<const config::NodeConfig>(std::move(compiled.config));
  }
  destinations_ = std::move(compiled.destinations);
  if (redirection_) {
    if (auto told = redirection_->count_tcp(documents_.settings.proxy.counts_tcp); !told) {
      spdlog::error("{}", told.error().message);
    }
  }
  if (!supervisor_) return;
  if (is_adopting) {
    config_is_held_back_ = true;
    adoption_timer_.expires_at(adopts_services_until_);
    adoption_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) compile_and_apply();
    });
  } else if (!is_same || config_is_held_back_) {
    config_is_held_back_ = false;
    adoption_timer_.cancel();
    supervisor_->set_config(config_);
  } else if (supervisor_->applied_generation() == generation_) {
    on_applied(generation_);
  }
  name_endpoints();
  answer_pending_services();
  find_instances();
  if (admin_) admin_->set_label_settings(label_settings(documents_.settings));
  if (documents_.settings.proxy.access_log_path != access_log_path_) open_access_log();
}

void Agent::add_cluster_documents() {
  const config::Documents& cluster = cluster_view_->documents;
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  cluster_workloads_ = static_cast<std::uint32_t>(documents_.workloads.size());
  append(documents_.workloads, cluster.workloads);
  append(documents_.virtual_services, cluster.virtual_services);
  append(documents_.destination_rules, cluster.destination_rules);
  append(documents_.service_entries, cluster.service_entries);
  append(documents_.services, cluster.services);
  append(documents_.endpoint_slices, cluster.endpoint_slices);
}

// The Kubernetes Services that are compiled are those that are called and whose endpoints are there, with all that
// their routes lead to: one without endpoints would answer 503. The API server is asked for what is missing.
config::CompileResult Agent::compile(const std::set<std::string, std::less<>>& called) {
  if (!cluster_view_) return config::compile(documents_, 0);
  documents_.services_in_use = called;
  config::CompileResult compiled = config::compile(documents_, 0);
  cluster_->set_called(compiled.hosts);
  const auto& known = cluster_view_->hosts_with_endpoints;
  if (std::includes(known.begin(), known.end(), compiled.hosts.begin(), compiled.hosts.end())) {
    ready_ = called;
    return compiled;
  }
  documents_.services_in_use = ready_;
  return config::compile(documents_, 0);
}

Result<> Agent::start_cluster() {
  auto api_server = options_.kubeconfig.empty() ? kube::in_cluster_config(environment("KUBERNETES_SERVICE_HOST"),
                                                                          environment("KUBERNETES_SERVICE_PORT"))
                                                : kube::load_kubeconfig(options_.kubeconfig);
  if (!api_server) return tl::unexpected(api_server.error());
  cluster_ = std::make_unique<kube::Cluster>(
      kube::Cluster::Settings{.api_server = std::move(*api_server),
                              .node = options_.node,
                              .cluster_domain = documents_.settings.cluster_domain},
      [this](std::shared_ptr<const kube::ClusterView> view) {
        asio::post(context_, [this, view = std::move(view)]() mutable { on_cluster_change(std::move(view)); });
      });
  return {};
}

void Agent::on_cluster_change(std::shared_ptr<const kube::ClusterView> view) {
  const bool is_known = cluster_view_ && cluster_view_->documents_revision == view->documents_revision;
  cluster_view_ = std::move(view);
  if (!cluster_view_->is_synced() || !supervisor_ || has_given_node_away_) return;
  last_success_ = base::wall_now();
  if (is_known) {
    find_instances();
  } else {
    compile_and_apply();
  }
}

// The services that the proxy has go on to be enforced: until their endpoints are known it keeps what it has. Later
// generations have higher numbers than its own.
void Agent::adopt_services(const channel::ProxyHello& hello) {
  generation_ = std::max(generation_, hello.generation);
  config_ = nullptr;  // a new generation, whatever is in it
  if (cluster_view_) {
    for (const std::string& host : hello.hosts) called_.insert(host);
    adopts_services_until_ = base::now() + kAdoptServices;
  }
  supervisor_->set_config(nullptr);
  compile_and_apply();
}

// A connection waits for the answer, so one that is negative comes at once.
void Agent::find_service(const base::IpAddress& address) {
  const auto found =
      cluster_view_ ? cluster_view_->hosts.find(address) : decltype(cluster_view_->hosts.find(address))();
  if (!cluster_view_ || found == cluster_view_->hosts.end()) {
    supervisor_->answer({.address = address, .generation = 0});
    return;
  }
  pending_services_.emplace_back(address, found->second);
  if (called_.insert(found->second).second) spdlog::info("{} is called from this node", found->second);
  compile_and_apply();
}

void Agent::answer_pending_services() {
  std::erase_if(pending_services_, [this](const auto& pending) {
    const bool is_ready = ready_.contains(pending.second);
    if (is_ready) supervisor_->answer({.address = pending.first, .generation = generation_});
    return is_ready;
  });
}

// The rows of endpoints say which pod is meant.
void Agent::name_endpoints() {
  if (!cluster_view_) return;
  for (const config::EndpointSlice& slice : cluster_view_->documents.endpoint_slices) {
    for (const config::EndpointDeclaration& endpoint : slice.endpoints) {
      if (endpoint.pod.empty()) continue;
      for (const auto& [name, port] : slice.ports) {
        identities_.set_endpoint_pod({endpoint.address, port}, slice.metadata.name_space, endpoint.pod);
      }
    }
  }
}

// One agent serves a node. Another one of the same DaemonSet is a rolling update, and gives it up when asked.
Result<> Agent::claim_node() {
  if (options_.host_runtime_dir.empty()) return {};
  const std::string socket = options_.host_runtime_dir + "/handover.sock";
  auto claimed = RuntimeDir::claim(options_.host_runtime_dir);
  if (!claimed && claimed.error().code == Errc::unavailable && !options_.owner.empty()) {
    auto inherited = take_over(socket, options_.owner, kHandoverPatience);
    if (!inherited) return tl::unexpected(inherited.error());
    inherited_ = std::move(*inherited);
    spdlog::info("took the node over with {} listeners", inherited_.size());
    claimed = RuntimeDir::claim(options_.host_runtime_dir);
  }
  if (!claimed) return tl::unexpected(claimed.error());
  host_runtime_dir_.emplace(std::move(*claimed));
  auto server = HandoverServer::start(context_, socket, options_.owner, [this] { return give_node_away(); });
  if (!server) return tl::unexpected(server.error());
  handover_ = std::move(*server);
  return {};
}

std::vector<channel::AddListener> Agent::give_node_away() {
  spdlog::info("the next agent takes this node over; the proxy finishes its requests");
  has_given_node_away_ = true;
  look_again_.cancel();
  cgroups_readable_.reset();
  files_readable_.reset();
  auto listeners = supervisor_->give_away(kDrainAtHandover);
  host_runtime_dir_.reset();  // and with it the lock
  return listeners;
}

std::vector<Instance> Agent::trial_instances() const {
  Instance instance;
  instance.workload = instance.pod.name = options_.as_name;
  instance.pod.name_space = options_.as_namespace;
  instance.state = InstanceState::redirected;
  return {instance};
}

// The proxy hears of an instance before the kernel sends it connections, and of its end after the last.
void Agent::find_instances() {
  if (has_given_node_away_) return;
  bool should_look_again = false;
  if (!redirection_) {
    instances_ = trial_instances();
  } else {
    const std::vector<std::string> cgroups = redirection_->cgroups();
    instances_ = host_instances(store_.documents().workloads, cgroups);
    if (cluster_view_) {
      for (Instance& pod : find_pod_instances(cluster_view_->pods, cgroups)) {
        pod.pod.workload += cluster_workloads_;
        instances_.push_back(std::move(pod));
      }
    }
    should_look_again = redirection_->resolve(instances_, cgroups);
  }
  std::vector<config::Pod> pods;
  for (Instance& instance : instances_) {
    if (!instance.pod.has_own_network) instance.pod.workload = workload_index(*config_, instance);
    identities_.assign(instance.pod);
    if (!redirection_ || (instance.state == InstanceState::pending && instance.is_found())) {
      pods.push_back(instance.pod);
    }
  }
  identities_.set_present(*config_, pods);
  supervisor_->set_pods(pods);
  if (!redirection_) return;
  sync_pod_listeners();
  redirection_->attach(instances_);
  look_again_after_ = should_look_again ? std::clamp(look_again_after_ * 2, kLookAgainSoon, kLookAgainLate)
                                        : std::chrono::milliseconds(0);
  if (!should_look_again) return;
  look_again_.expires_after(look_again_after_);
  look_again_.async_wait([this](const boost::system::error_code& error) {
    if (!error) find_instances();
  });
}

// Listeners in the namespaces of the pods that are captured, before their connections come; those of pods that are not
// any more go after the last connection that was on its way.
void Agent::sync_pod_listeners() {
  std::set<std::uint64_t> wanted;
  for (Instance& instance : instances_) {
    if (instance.state != InstanceState::pending || !instance.network) continue;
    const auto network_id = PodNetworks::id(*instance.network);
    if (!network_id) continue;
    for (const char* const loopback : {"127.0.0.1", "::1"}) {
      const base::IpAddress address = *base::IpAddress::parse(loopback);
      const std::uint64_t id = kPodListener | (*network_id << 1U) | (address.is_v4() ? 0U : 1U);
      wanted.insert(id);
      if (pod_listeners_.contains(id)) continue;
      auto added =
          supervisor_->add_listener(id, std::nullopt, instance.pod.id, [this, address, network = instance.network] {
            return redirection_->make_listeners(address, workers(), network.get());
          });
      if (!added && address.is_v4()) {  // not every pod has IPv6
        instance.state = InstanceState::error;
        instance.reason = added.error().message;
        spdlog::error("{}/{}: {}", instance.pod.name_space, instance.pod.name, instance.reason);
      }
    }
  }
  for (const std::uint64_t id : pod_listeners_) {
    if (wanted.contains(id)) continue;
    redirection_->unregister_listeners(supervisor_->listening_sockets(id));
    supervisor_->remove_listener(id);
  }
  pod_listeners_ = std::move(wanted);
}

void Agent::send_sockets(const channel::NeedSockets& needed) {
  const auto pod = std::find_if(instances_.begin(), instances_.end(), [&](const Instance& instance) {
    return instance.pod.id == needed.pod && instance.network;
  });
  if (pod == instances_.end()) return;  // gone meanwhile
  auto sockets =
      Redirection::make_sockets(needed.is_v6 ? AF_INET6 : AF_INET, std::min(needed.count, kMostSockets), *pod->network);
  if (!sockets) {
    spdlog::error("{}/{}: {}", pod->pod.name_space, pod->pod.name, sockets.error().message);
    return;
  }
  supervisor_->send_sockets(
      {.pod = needed.pod, .worker = needed.worker, .is_v6 = needed.is_v6, .sockets = std::move(*sockets)});
}

void Agent::open_access_log() {
  access_log_path_ = documents_.settings.proxy.access_log_path;
  if (documents_.settings.proxy.access_log_format == config::AccessLogFormat::off) {
    supervisor_->set_access_log({});
    return;
  }
  auto file = open_log(access_log_path_);
  if (!file) spdlog::error("{}; requests are not logged", file.error().message);
  supervisor_->set_access_log(file ? std::move(*file) : UniqueFd());
}

Result<> Agent::add_listeners() {
  std::uint64_t id = 0;
  for (const TrialListener& listener : options_.listeners) {
    const channel::FixedDestination fixed{.original_destination = listener.destination,
                                          .pod = instances_.front().pod.id,
                                          .passthrough = options_.passthrough};
    auto added = supervisor_->add_listener(++id, fixed, std::nullopt, [address = listener.listen, count = workers()] {
      return make_listeners(address, count);
    });
    if (!added) return added;
  }
  if (!redirection_ || options_.is_kubernetes) return {};  // pods have their own
  for (const char* const loopback : {"127.0.0.1", "::1"}) {
    const base::IpAddress address = *base::IpAddress::parse(loopback);
    auto added = supervisor_->add_listener(++id, std::nullopt, std::nullopt, [this, address] {
      return redirection_->make_listeners(address, workers(), nullptr);
    });
    if (added) continue;
    if (address.is_v4()) return added;
    spdlog::warn("{}; connections to IPv6 services pass", added.error().message);
  }
  return {};
}

std::shared_ptr<const NodeView> Agent::view() const {
  auto view = std::make_shared<NodeView>();
  view->config = config_;
  view->settings = documents_.settings;
  view->documents = store_.statuses();
  view->rejects = rejects_;
  if (cluster_view_) {
    const auto& statuses = cluster_view_->statuses;
    view->documents.insert(view->documents.end(), statuses.begin(), statuses.end());
    for (const config::ObjectStore::Rejects& reject : cluster_view_->rejects) {
      view->rejects.push_back({reject.kind, std::string(config::to_string(reject.reason)), reject.count});
    }
  }
  view->findings = findings_;
  view->instances = instances_;
  view->last_success = last_success_;
  view->is_proxy_up = supervisor_->is_up();
  view->proxy_pid = supervisor_->pid();
  view->proxy_generation = supervisor_->applied_generation();
  view->proxy_restarts = supervisor_->restarts();
  view->has_listeners = options_.is_kubernetes || supervisor_->is_listening();
  view->loop_lag = loop_lag_;
  return view;
}

Result<> Agent::start_admin() {
  const auto ask = [this](std::function<void(admin::Snapshot)> answer) {
    asio::post(context_, [this, answer = std::move(answer)]() mutable { answer_admin(std::move(answer)); });
  };
  auto server = admin::Server::start(documents_.settings.admin_address, ask, identities_);
  if (!server) return tl::unexpected(server.error());
  admin_ = std::move(*server);
  admin_->set_label_settings(label_settings(documents_.settings));
  return {};
}

void Agent::answer_admin(std::function<void(admin::Snapshot)> answer) {
  admin::Snapshot snapshot{.view = view(), .backends = {}, .verdicts = {}, .maps = {}, .programs = {}, .tcp = {}};
  if (redirection_) {
    if (auto verdicts = redirection_->datapath().verdicts()) snapshot.verdicts = std::move(*verdicts);
    snapshot.maps = redirection_->datapath().map_use();
    snapshot.programs = redirection_->datapath().program_use();
    snapshot.tcp = redirection_->datapath().tcp_use();
  }
  supervisor_->request_status([snapshot = std::move(snapshot), answer = std::move(answer)](auto backends) mutable {
    snapshot.backends = std::move(backends);
    answer(std::move(snapshot));
  });
}

// Only now can the proxy do something for connections to these services.
void Agent::on_applied(std::uint64_t generation) {
  if (redirection_ && generation == config_->generation) {
    if (auto serving = redirection_->serve(destinations_); !serving) spdlog::error("{}", serving.error().message);
  }
  if (is_announced_) {
    if (std::exchange(announced_generation_, generation) != generation) {
      spdlog::info("generation {} is in force", generation);
    }
    return;
  }
  is_announced_ = true;
  std::printf("fairlead: ready, %zu service%s, %zu workload%s", config_->services.size(),
              config_->services.size() == 1 ? "" : "s", config_->workloads.size(),
              config_->workloads.size() == 1 ? "" : "s");
  for (const TrialListener& listener : options_.listeners) {
    std::printf("; %s is %s for %s.%s", listener.listen.to_string().c_str(), listener.destination.to_string().c_str(),
                options_.as_name.c_str(), options_.as_namespace.c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}

void Agent::watch(std::unique_ptr<asio::posix::stream_descriptor>& descriptor, int fd,
                  std::function<void()> on_readable) {
  descriptor = std::make_unique<asio::posix::stream_descriptor>(context_, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const auto wait = [&waiting = *descriptor, on_readable = std::move(on_readable)](const auto& self) -> void {
    waiting.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self, on_readable](const boost::system::error_code& error) {
                         if (error) return;
                         on_readable();
                         self(self);
                       });
  };
  wait(wait);
}

void Agent::watch_signals() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal != SIGHUP) {
      context_.stop();
      return;
    }
    if (supervisor_) {
      open_access_log();  // after a rotation
      reload();
    }
    watch_signals();
  });
}

void Agent::watch_lag() {
  lag_timer_.expires_after(kLagInterval);
  lag_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    loop_lag_.observe(base::now() - lag_timer_.expiry());
    watch_lag();
  });
}

void Agent::run() {
  context_.run();
  stop();
}

// Connections pass before there is nobody to take them.
void Agent::stop() {
  if (has_given_node_away_) {
    supervisor_->stop(std::chrono::milliseconds(kDrain));
    return;
  }
  if (redirection_) redirection_->pass();
  supervisor_->stop(options_.uses_bpf ? std::chrono::milliseconds(kDrain) : kTrialDrain);
  if (redirection_) redirection_->remove();
  if (options_.owns_runtime_dir) {
    std::error_code ignored;
    std::filesystem::remove_all(runtime_dir_->path(), ignored);
  }
}

}  // namespace agent
