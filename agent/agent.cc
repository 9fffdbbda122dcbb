#include "agent/agent.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <thread>
#include <utility>

#include "agent/access_log_file.h"
#include "agent/readable.h"
#include "base/random.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Errc;
using base::Result;
using base::UniqueFd;

constexpr std::chrono::milliseconds kTrialDrain{300};
constexpr std::chrono::seconds kDrain{5};
constexpr std::chrono::seconds kDrainAtHandover{20};
constexpr std::chrono::milliseconds kLagInterval{500};
constexpr std::chrono::milliseconds kReloadDelay{20};

// The program of this name beside the running one.
std::string sibling(const char* name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// For a while two agents may be on one node.
std::string unlike_any_other(const std::string& node) {
  char suffix[20];
  const auto number = static_cast<unsigned long long>(base::Random::from_entropy().next());
  std::snprintf(suffix, sizeof suffix, "_%016llx", number);
  return node + suffix;
}

}  // namespace

Agent::Agent(Options options)
    : options_(std::move(options)),
      signals_(context_, SIGTERM, SIGINT, SIGHUP),
      lag_timer_(context_),
      configuration_(options_, identities_,
                     [this](CalledServices::Hosts hosts) { cluster_->set_called(std::move(hosts)); }),
      reload_timer_(context_),
      adoption_timer_(context_),
      not_captured_(options_.node) {}
Agent::~Agent() = default;

std::uint32_t Agent::workers() const {
  const std::uint32_t wanted = configuration_.settings().workers;
  return wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
}

Result<> Agent::start() {
  auto started = start_everything();
  // Nothing is left of a start that failed. What an earlier agent has left goes on as it was.
  if (!started && (options_.owns_runtime_dir || (redirection_ && !found_pins_))) stop();
  return started;
}

Result<> Agent::start_everything() {
  watch_signals();
  if (auto loaded = configuration_.load(); !loaded) return loaded;
  if (options_.is_kubernetes) {
    // First what takes long: while the node changes hands, connections wait.
    if (auto started = start_cluster(); !started) return started;
    while (configuration_.cluster() == nullptr || !configuration_.cluster()->is_synced()) {
      if (context_.run_one() == 0) return base::fail(Errc::unavailable, "ended before the cluster was read");
    }
  }
  if (!options_.host_runtime_dir.empty()) {
    auto claim =
        NodeClaim::make(context_, options_.host_runtime_dir, options_.owner, [this] { return give_node_away(); });
    if (!claim) return tl::unexpected(claim.error());
    claim_ = std::move(*claim);
  }
  auto claimed = RuntimeDir::claim(options_.runtime_dir);
  if (!claimed) return tl::unexpected(claimed.error());
  runtime_dir_.emplace(std::move(*claimed));
  compile_and_apply();
  if (options_.has_admin) {
    if (auto started = start_admin(); !started) return started;
  }
  if (options_.uses_bpf) {
    if (auto opened = open_redirection(); !opened) return opened;
  }
  if (auto started = start_proxy(); !started) return started;
  if (auto added = instances_->add_shared_listeners(); !added) return added;
  files_readable_ = watch_readable(context_, configuration_.fd(), [this] {
    if (configuration_.take_changes()) reload_soon();
  });
  if (redirection_) {
    cgroups_readable_ = watch_readable(context_, redirection_->fd(), [this] {
      if (redirection_->take_changes()) update_instances();
    });
  }
  watch_lag();
  return {};
}

Result<> Agent::open_redirection() {
  std::error_code error;
  found_pins_ = std::filesystem::exists(Datapath::kPins, error);
  auto redirection =
      Redirection::open({.cgroup2 = options_.cgroup2, .proc = options_.proc, .is_exclusive = !options_.is_kubernetes});
  if (!redirection) return tl::unexpected(redirection.error());
  redirection_.emplace(std::move(*redirection));
  return redirection_->count_tcp(configuration_.settings().proxy.counts_tcp);
}

Result<> Agent::start_proxy() {
  ProxySupervisor::Settings settings;
  if (!options_.has_external_proxy) settings.process.program = sibling("fairlead-proxy");
  settings.process.socket_path = runtime_dir_->socket();
  settings.workers = workers();
  settings.process.ends_with_agent = options_.owns_runtime_dir;
  if (redirection_ && !options_.has_external_proxy)
    settings.process.place = [this](pid_t pid) { return redirection_->place_proxy(pid); };
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
          .need_sockets = [this](const channel::NeedSockets& needed) { instances_->send_sockets(needed); },
          .find_service = [this](const channel::FindService& wanted) { find_service(wanted.address); },
          .services_used = [this](const std::vector<std::string>& hosts) { forget_idle_services(hosts); }});
  instances_ = std::make_unique<NodeInstances>(context_, options_, redirection_ ? &*redirection_ : nullptr,
                                               *supervisor_, identities_, workers(), [this] { update_instances(); });
  if (claim_) supervisor_->inherit(claim_->take_inherited());
  supervisor_->set_config(configuration_.config());
  open_access_log();
  if (auto started = supervisor_->start(!options_.owns_runtime_dir); !started) return started;
  update_instances();
  return {};
}

void Agent::reload() {
  configuration_.reload();
  compile_and_apply();
}

// An editor may take a file away and write it anew: what is between is not what anybody wants in force.
void Agent::reload_soon() {
  if (std::exchange(is_reload_due_, true)) return;
  reload_timer_.expires_after(kReloadDelay);
  reload_timer_.async_wait([this](const boost::system::error_code& error) {
    is_reload_due_ = false;
    if (!error && !has_given_node_away_) reload();
  });
}

void Agent::compile_and_apply() {
  const bool is_new = configuration_.compile();
  if (redirection_) {
    if (auto told = redirection_->count_tcp(configuration_.settings().proxy.counts_tcp); !told) {
      spdlog::error("{}", told.error().message);
    }
  }
  if (!supervisor_) return;
  const std::uint64_t generation = configuration_.config()->generation;
  if (configuration_.called_services().is_adopting(base::now())) {
    config_is_held_back_ = true;
    adoption_timer_.expires_at(configuration_.called_services().adopts_until());
    adoption_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) compile_and_apply();
    });
  } else if (is_new || config_is_held_back_) {
    config_is_held_back_ = false;
    adoption_timer_.cancel();
    supervisor_->set_config(configuration_.config());
  } else if (supervisor_->applied_generation() == generation) {
    on_applied(generation);
  }
  for (const base::IpAddress& address : configuration_.called_services().take_answers()) {
    supervisor_->answer({.address = address, .generation = generation});
  }
  update_instances();
  if (admin_) admin_->set_label_settings(telemetry::label_settings(configuration_.settings()));
  if (configuration_.settings().proxy.access_log_path != access_log_path_) open_access_log();
}

void Agent::update_instances() {
  const kube::ClusterView* const cluster = configuration_.cluster();
  instances_->update({.config = *configuration_.config(),
                      .host_workloads = configuration_.host_workloads(),
                      .pods = cluster == nullptr ? std::span<const LocalPod>() : cluster->pods,
                      .first_pod_workload = configuration_.first_cluster_workload()});
  if (!cluster_) return;
  for (kube::Event& event : not_captured_.find(instances_->all(), base::now(), base::wall_now())) {
    cluster_->announce(std::move(event));
  }
}

Result<> Agent::start_cluster() {
  auto api_server = options_.kubeconfig.empty() ? kube::in_cluster_config(environment("KUBERNETES_SERVICE_HOST"),
                                                                          environment("KUBERNETES_SERVICE_PORT"))
                                                : kube::load_kubeconfig(options_.kubeconfig);
  if (!api_server) return tl::unexpected(api_server.error());
  cluster_ = std::make_unique<kube::Cluster>(
      kube::Cluster::Settings{.api_server = std::move(*api_server),
                              .node = options_.node,
                              .cluster_domain = configuration_.settings().cluster_domain,
                              .identity = unlike_any_other(options_.node)},
      [this](std::shared_ptr<const kube::ClusterView> view) {
        asio::post(context_, [this, view = std::move(view)]() mutable { on_cluster_change(std::move(view)); });
      });
  return {};
}

void Agent::on_cluster_change(std::shared_ptr<const kube::ClusterView> view) {
  const bool may_need_compiling = configuration_.set_cluster(std::move(view));
  if (!configuration_.cluster()->is_synced() || !supervisor_ || has_given_node_away_) return;
  if (may_need_compiling) {
    compile_and_apply();
  } else {
    update_instances();
  }
}

// The services that the proxy has go on to be enforced.
void Agent::adopt_services(const channel::ProxyHello& hello) {
  configuration_.adopt(hello.generation, hello.hosts);
  supervisor_->set_config(nullptr);
  compile_and_apply();
}

void Agent::find_service(const base::IpAddress& address) {
  const kube::ClusterView* const cluster = configuration_.cluster();
  if (cluster != nullptr && configuration_.called_services().find(address, *cluster, base::now())) {
    compile_and_apply();
  } else {
    supervisor_->answer({.address = address, .generation = 0});
  }
}

void Agent::forget_idle_services(const std::vector<std::string>& in_use) {
  if (has_given_node_away_) return;
  if (configuration_.called_services().forget_idle(base::now(), in_use)) compile_and_apply();
}

std::vector<channel::AddListener> Agent::give_node_away() {
  spdlog::info("the next agent takes this node over; the proxy finishes its requests");
  has_given_node_away_ = true;
  instances_->stop();
  cgroups_readable_.reset();
  files_readable_.reset();
  return supervisor_->give_away(kDrainAtHandover);
}

void Agent::open_access_log() {
  access_log_path_ = configuration_.settings().proxy.access_log_path;
  if (configuration_.settings().proxy.access_log_format == config::AccessLogFormat::off) {
    supervisor_->set_access_log({});
    return;
  }
  auto file = open_access_log_file(access_log_path_);
  if (!file) spdlog::error("{}; requests are not logged", file.error().message);
  supervisor_->set_access_log(file ? std::move(*file) : UniqueFd());
}

std::shared_ptr<const NodeView> Agent::view() const {
  auto view = std::make_shared<NodeView>();
  configuration_.show(*view);
  view->instances = instances_->all();
  view->is_proxy_up = supervisor_->is_answering();
  view->proxy_pid = supervisor_->pid();
  view->proxy_version = supervisor_->version();
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
  auto server = admin::Server::start(configuration_.settings().admin_address, ask, identities_);
  if (!server) return tl::unexpected(server.error());
  admin_ = std::move(*server);
  admin_->set_label_settings(telemetry::label_settings(configuration_.settings()));
  return {};
}

void Agent::answer_admin(std::function<void(admin::Snapshot)> answer) {
  admin::Snapshot snapshot{.view = view(),
                           .taken_at = base::wall_now(),
                           .backends = {},
                           .verdicts = {},
                           .maps = {},
                           .programs = {},
                           .tcp = {}};
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
  if (redirection_ && generation == configuration_.config()->generation) {
    if (auto serving = redirection_->serve(configuration_.destinations()); !serving)
      spdlog::error("{}", serving.error().message);
  }
  if (is_announced_) {
    if (std::exchange(announced_generation_, generation) != generation) {
      spdlog::info("generation {} is in force", generation);
    }
    return;
  }
  is_announced_ = true;
  std::printf("fairlead: ready, %zu service%s, %zu workload%s", configuration_.config()->services.size(),
              configuration_.config()->services.size() == 1 ? "" : "s", configuration_.config()->workloads.size(),
              configuration_.config()->workloads.size() == 1 ? "" : "s");
  for (const TrialListener& listener : options_.listeners) {
    std::printf("; %s is %s for %s.%s", listener.listen.to_string().c_str(), listener.destination.to_string().c_str(),
                options_.as_name.c_str(), options_.as_namespace.c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
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
  if (supervisor_) supervisor_->stop(options_.uses_bpf ? std::chrono::milliseconds(kDrain) : kTrialDrain);
  if (redirection_) redirection_->remove();
  if (runtime_dir_ && !options_.is_kubernetes) runtime_dir_->remove();
  if (options_.owns_runtime_dir) ::rmdir(options_.runtime_dir.c_str());
}

}  // namespace agent
