#include "agent/agent.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

#include "agent/proxy_supervisor/listeners.h"
#include "base/build_info.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Errc;
using base::Result;
using base::UniqueFd;

constexpr std::chrono::milliseconds kTrialDrain{300};
constexpr std::chrono::seconds kDrain{5};

// The program of this name beside the running one.
std::string sibling(const char* name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

// The proxy opens no files: it gets this descriptor. Anything but a regular file must not make it wait.
Result<UniqueFd> open_log(const std::string& path) {
  if (path == "-" || path == "/dev/stdout") return UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (path == "/dev/stderr") return UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (!file) return base::fail_errno("open the access log " + path);
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

std::uint32_t default_workers() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

Agent::Agent(Options options) : options_(std::move(options)), signals_(context_, SIGTERM, SIGINT, SIGHUP) {}
Agent::~Agent() = default;

Result<> Agent::start() {
  if (auto loaded = load(); !loaded) return loaded;
  compile_and_apply();

  ProxySupervisor::Settings settings;
  settings.program = sibling("fairlead-proxy");
  settings.socket_path = options_.runtime_dir + "/agent.sock";
  settings.workers = settings_.workers != 0 ? settings_.workers : default_workers();
  settings.ends_with_agent = options_.owns_runtime_dir;
  supervisor_ = std::make_unique<ProxySupervisor>(
      context_, std::move(settings),
      ProxySupervisor::Callbacks{
          .applied = [this](std::uint64_t generation) { announce(generation); },
          .refused =
              [](const std::string& error) { spdlog::error("the proxy refuses the configuration: {}", error); }});
  supervisor_->set_config(config_);
  open_access_log();
  if (auto opened = open_trial_listeners(); !opened) return opened;
  if (auto started = supervisor_->start(!options_.owns_runtime_dir); !started) return started;
  watch_files();
  watch_signals();
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
  config::Documents documents = store_.documents();
  options_.apply_to(documents.settings);
  if (!options_.as_name.empty() && documents.find_workload(options_.as_name, options_.as_namespace) == nullptr) {
    config::WorkloadDocument workload = config::undeclared_workload(options_.as_name, options_.as_namespace);
    if (!options_.as_labels.empty()) workload.metadata.labels = options_.as_labels;
    documents.workloads.push_back(std::move(workload));
  }
  config::CompileResult compiled = config::compile(documents, ++generation_, compile_ids_);
  identities_.assign(compiled.config);

  // What was said before is not said again.
  std::set<std::string> known;
  for (const config::Finding& finding : findings_) known.insert(finding.to_string());
  findings_ = store_.findings();
  findings_.insert(findings_.end(), compiled.findings.begin(), compiled.findings.end());
  for (const config::Finding& finding : findings_) {
    if (!known.contains(finding.to_string())) log_finding(finding);
  }
  settings_ = documents.settings;
  config_ = std::make_shared<const config::NodeConfig>(std::move(compiled.config));

  instances_.clear();
  if (!options_.as_name.empty()) {
    Instance instance;
    instance.pod.name = options_.as_name;
    instance.pod.name_space = options_.as_namespace;
    const auto& workloads = config_->workloads;
    for (std::uint32_t i = 0; i < workloads.size(); ++i) {
      if (workloads[i].name == options_.as_name && workloads[i].name_space == options_.as_namespace) {
        instance.pod.workload = i;
      }
    }
    identities_.assign(instance.pod);
    instances_.push_back(std::move(instance));
  }
  std::vector<config::Pod> pods;
  for (const Instance& instance : instances_) pods.push_back(instance.pod);
  identities_.set_present(*config_, pods);
  if (supervisor_) {
    supervisor_->set_config(config_);
    supervisor_->set_pods(pods);
    if (settings_.proxy.access_log_path != access_log_path_) open_access_log();
  }
  publish_view();
}

void Agent::open_access_log() {
  access_log_path_ = settings_.proxy.access_log_path;
  if (settings_.proxy.access_log_format == config::AccessLogFormat::off) {
    supervisor_->set_access_log({});
    return;
  }
  auto file = open_log(access_log_path_);
  if (!file) spdlog::error("{}; requests are not logged", file.error().message);
  supervisor_->set_access_log(file ? std::move(*file) : UniqueFd());
}

Result<> Agent::open_trial_listeners() {
  std::vector<config::Pod> pods;
  for (const Instance& instance : instances_) pods.push_back(instance.pod);
  supervisor_->set_pods(pods);
  const std::uint32_t workers = settings_.workers != 0 ? settings_.workers : default_workers();
  for (std::size_t i = 0; i < options_.listeners.size(); ++i) {
    const TrialListener& listener = options_.listeners[i];
    const channel::FixedDestination fixed{.original_destination = listener.destination,
                                          .pod = instances_.front().pod.id,
                                          .passthrough = options_.passthrough};
    auto added = supervisor_->add_listener(i + 1, fixed, [=] { return make_listeners(listener.listen, workers); });
    if (!added) return added;
  }
  return {};
}

void Agent::publish_view() {
  auto view = std::make_shared<NodeView>();
  view->config = config_;
  view->settings = settings_;
  view->documents = store_.statuses();
  view->findings = findings_;
  view->instances = instances_;
  view->last_success = last_success_;
  view->rejects = rejects_;
  if (supervisor_) {
    view->is_proxy_up = supervisor_->is_up();
    view->proxy_pid = supervisor_->pid();
    view->proxy_generation = supervisor_->applied_generation();
    view->proxy_restarts = supervisor_->restarts();
  }
  const std::lock_guard lock(view_mutex_);
  view_ = std::move(view);
}

void Agent::announce(std::uint64_t generation) {
  publish_view();
  if (is_announced_) {
    spdlog::info("generation {} is in force", generation);
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

void Agent::watch_files() {
  files_readable_ =
      std::make_unique<asio::posix::stream_descriptor>(context_, ::fcntl(files_->fd(), F_DUPFD_CLOEXEC, 0));
  const auto wait = [this](const auto& self) -> void {
    files_readable_->async_wait(asio::posix::stream_descriptor::wait_read,
                                [this, self](const boost::system::error_code& error) {
                                  if (error) return;
                                  if (files_->take_changes()) reload();
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
    open_access_log();  // after a rotation
    reload();
    watch_signals();
  });
}

void Agent::run() {
  context_.run();
  stop();
}

void Agent::stop() {
  supervisor_->stop(options_.uses_bpf ? std::chrono::milliseconds(kDrain) : kTrialDrain);
  if (options_.owns_runtime_dir) {
    std::error_code ignored;
    std::filesystem::remove_all(options_.runtime_dir, ignored);
  }
}

}  // namespace agent
