#include "agent/proxy_supervisor/supervisor.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "base/unix_socket.h"
#include "proxy/sandbox/proxy_user.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Result;
using base::UniqueFd;
using telemetry::RestartReason;

constexpr std::chrono::milliseconds kAdoptionLimit{1500};  // a proxy tries again every 200 ms
constexpr std::chrono::seconds kPingInterval{1};
constexpr std::uint64_t kMissedPings = 5;
constexpr std::uint64_t kPingsPerQuestion = 60;  // which services are in use
// More exits than this within the window: the proxy does not stay up, so let connections pass instead of making them
// wait.
constexpr std::size_t kExitsThatMatter = 5;
constexpr std::chrono::seconds kExitWindow{20};
constexpr std::chrono::seconds kSlowRestart{5};
constexpr std::chrono::seconds kExternalAbsence{3};     // of a proxy that somebody else starts
constexpr std::chrono::milliseconds kStopReserve{500};  // after its drain
constexpr std::chrono::seconds kStartLimit{10};         // until a started proxy says hello

std::optional<pid_t> allowed_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  const bool is_allowed = peer.uid == ::geteuid() || (::geteuid() == 0 && peer.uid == proxy::kProxyUid);
  return is_allowed ? std::optional(peer.pid) : std::nullopt;
}

std::vector<UniqueFd> duplicate(const std::vector<UniqueFd>& fds) {
  std::vector<UniqueFd> copies;
  for (const UniqueFd& fd : fds) copies.push_back(fd.duplicate());
  return copies;
}

}  // namespace

ProxySupervisor::ProxySupervisor(asio::io_context& context, Settings settings, Callbacks callbacks)
    : context_(context),
      settings_(std::move(settings)),
      callbacks_(std::move(callbacks)),
      server_(context),
      process_(context, settings_.process, [this](pid_t pid, std::string_view how) { on_exit(pid, how); }),
      restart_timer_(context),
      ping_timer_(context) {}

ProxySupervisor::~ProxySupervisor() = default;

Result<> ProxySupervisor::start(bool adopts) {
  const pid_t earlier = adopts ? process_.earlier() : 0;
  auto socket = base::listen_unix(settings_.process.socket_path);
  if (!socket) return tl::unexpected(socket.error());
  server_.assign(socket->release());
  accept_proxy();
  is_adopting_ = !process_.is_ours_to_start();  // it may have served for an agent before us
  if (earlier == 0 || is_adopting_) return spawn();

  spdlog::info("a proxy of an earlier agent is running (pid {}); waiting for it", earlier);
  is_adopting_ = true;
  restart_timer_.expires_after(kAdoptionLimit);
  restart_timer_.async_wait([this, earlier](const boost::system::error_code& error) {
    if (error || is_up()) return;
    spdlog::warn("the earlier proxy (pid {}) does not come; ending it", earlier);
    is_adopting_ = false;
    if (is_proxy_process(earlier)) ::kill(earlier, SIGKILL);
    spawn_or_try_later();
  });
  return {};
}

Result<> ProxySupervisor::spawn() {
  if (!process_.is_ours_to_start()) {  // it comes by itself
    expect_proxy();
    return {};
  }
  if (auto started = process_.start(); !started) return started;
  restart_timer_.expires_after(kStartLimit);
  restart_timer_.async_wait([this, pid = process_.pid()](const boost::system::error_code& error) {
    if (!error && process_.pid() == pid) end_hung("does not say hello");
  });
  return {};
}

// What waits in the listeners' queues would wait for good, so the listeners go.
void ProxySupervisor::spawn_or_try_later() {
  auto spawned = spawn();
  if (spawned) return;
  close_listeners();
  spdlog::error("{}; listeners are closed, connections pass; trying again in {} s", spawned.error().message,
                kSlowRestart.count());
  try_later();
}

void ProxySupervisor::try_later() {
  restart_timer_.expires_after(kSlowRestart);
  restart_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !is_stopping_) spawn_or_try_later();
  });
}

void ProxySupervisor::end_hung(std::string_view what_it_does) {
  spdlog::error("the proxy (pid {}) {}; ending it", process_.pid(), what_it_does);
  exit_reason_ = RestartReason::hang;
  process_.signal(SIGKILL);
}

// Until then connections wait in the listeners' queues.
void ProxySupervisor::expect_proxy() {
  restart_timer_.expires_after(kExternalAbsence);
  restart_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || is_up() || is_stopping_) return;
    spdlog::error("no proxy has come for {} s: listeners are closed, connections pass", kExternalAbsence.count());
    close_listeners();
  });
}

void ProxySupervisor::on_exit(pid_t pid, std::string_view how) {
  lose_connection();
  if (is_stopping_) return;
  spdlog::warn("the proxy (pid {}) ended: {}", pid, how);
  restart(std::exchange(exit_reason_, RestartReason::crash));
}

void ProxySupervisor::restart(RestartReason reason) {
  ++restarts_[static_cast<std::size_t>(reason)];
  const base::TimePoint now = base::now();
  exits_.push_back(now);
  while (!exits_.empty() && exits_.front() < now - kExitWindow) exits_.pop_front();
  if (exits_.size() <= kExitsThatMatter) {
    spawn_or_try_later();
    return;
  }
  close_listeners();
  spdlog::error(
      "the proxy does not stay up ({} exits in {} s): listeners are closed, connections pass; trying again in {} s",
      exits_.size(), kExitWindow.count(), kSlowRestart.count());
  try_later();
}

bool ProxySupervisor::is_listening() const {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [](const auto& each) { return !each.second.sockets.empty(); });
}

void ProxySupervisor::close_listeners() {
  callbacks_.passing();
  for (auto& [id, held] : listeners_) held.sockets.clear();
}

void ProxySupervisor::hold(Held& held, std::vector<UniqueFd> sockets) {
  held.sockets = std::move(sockets);
  if (held.fixed) return;  // nothing is redirected to it
  for (const UniqueFd& socket : held.sockets) callbacks_.listening(socket.get());
}

void ProxySupervisor::accept_proxy() {
  server_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    UniqueFd socket(::accept4(server_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::optional<pid_t> peer = socket ? allowed_peer(socket.get()) : std::nullopt;
    if (peer && !is_up()) {
      connection_ = std::make_unique<channel::Connection>(std::move(socket));
      readable_ = std::make_unique<asio::posix::stream_descriptor>(context_, connection_->fd());
      if (*peer != process_.pid()) process_.watch(*peer);  // left behind by an earlier agent
      read_messages();
    }
    accept_proxy();
  });
}

void ProxySupervisor::read_messages() {
  readable_->async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error || !connection_) return;
    take_messages();
    if (connection_) read_messages();
  });
}

void ProxySupervisor::take_messages() {
  auto open = connection_->receive([this](channel::Message message) { handle(std::move(message)); });
  if (!open) spdlog::error("the proxy said what it must not: {}", open.error().message);
  if (open && *open) return;
  lose_connection();
  if (process_.pid() == 0 && !is_stopping_) restart(RestartReason::crash);
}

void ProxySupervisor::lose_connection() {
  if (readable_) readable_->release();  // the connection closes the descriptor
  readable_.reset();
  connection_.reset();
  hello_.reset();
  handed_back_.clear();
  ping_timer_.cancel();
  applied_generation_ = 0;
  forget_status_requests();
}

void ProxySupervisor::forget_status_requests() {
  for (auto& [sequence, done] : std::exchange(status_requests_, {})) done(std::nullopt);
}

void ProxySupervisor::handle(channel::Message message) {
  if (auto* hello = std::get_if<channel::ProxyHello>(&message)) {
    handed_back_.clear();
    hello_ = std::move(*hello);
    if (hello_->listeners == 0) greet();
  } else if (auto* listener = std::get_if<channel::AddListener>(&message)) {
    if (!hello_) return;  // nobody was about to hand one back
    handed_back_.push_back(std::move(*listener));
    if (handed_back_.size() == hello_->listeners) greet();
  } else if (auto* sockets = std::get_if<channel::NeedSockets>(&message)) {
    callbacks_.need_sockets(*sockets);
  } else if (auto* service = std::get_if<channel::FindService>(&message)) {
    callbacks_.find_service(*service);
  } else if (auto* applied = std::get_if<channel::Applied>(&message)) {
    if (!applied->error.empty()) {
      callbacks_.refused(applied->error);
      return;
    }
    applied_generation_ = applied->generation;
    callbacks_.applied(applied->generation);
  } else if (auto* pong = std::get_if<channel::Pong>(&message)) {
    if (pong->sequence > pings_) return;  // an earlier agent had asked
    answered_ = pong->sequence;
    if (pong->used) callbacks_.services_used(*pong->used);
  } else if (auto* reply = std::get_if<channel::StatusReply>(&message)) {
    if (auto found = status_requests_.extract(reply->sequence)) found.mapped()(std::move(reply->backends));
  }
}

// A proxy is there: it hears everything, in the order in which it needs it.
void ProxySupervisor::greet() {
  channel::ProxyHello hello = *std::exchange(hello_, std::nullopt);
  version_ = hello.version;
  if (hello.generation != 0) callbacks_.adopting(hello);
  restart_timer_.cancel();
  if (hello.shards) {  // its counters go on
    if (auto opened = ::telemetry::SharedMemory::open(std::move(hello.shards))) {
      memory_.emplace(std::move(*opened));
      callbacks_.counting(*memory_);
    }
  }
  is_adopting_ = false;
  std::vector<std::uint64_t> unknown;
  for (channel::AddListener& listener : handed_back_) {
    const auto known = listeners_.find(listener.id);
    if (known == listeners_.end()) {
      unknown.push_back(listener.id);
    } else if (known->second.sockets.empty()) {
      hold(known->second, std::move(listener.sockets));
    }
  }
  handed_back_.clear();
  if (!memory_) {
    auto made = ::telemetry::SharedMemory::create(settings_.workers, config_ ? config_->settings.max_series : 5000);
    if (!made) {
      spdlog::error("no shared memory for counters: {}", made.error().message);
      return;
    }
    memory_.emplace(std::move(*made));
    callbacks_.counting(*memory_);
  }
  auto shards = memory_->duplicate_fd();
  if (!shards) {
    spdlog::error("{}", shards.error().message);
    return;
  }
  send(channel::Hello{.workers = settings_.workers, .shards = std::move(*shards)});
  if (config_) send(channel::ApplyConfig{config_});
  send(channel::SetPods{pods_});
  send(channel::SetAccessLog{access_log_.duplicate()});
  for (auto& [id, held] : listeners_) {
    if (held.sockets.empty()) {  // closed because no proxy stayed up
      auto made = held.make();
      if (!made) {
        spdlog::error("{}", made.error().message);
        continue;
      }
      hold(held, std::move(*made));
    }
    send_listener(id, held);
  }
  for (const std::uint64_t id : unknown) send(channel::RemoveListener{id});
  answered_ = pings_;
  ping();
}

void ProxySupervisor::send(const channel::Message& message) {
  if (!connection_) return;
  const bool is_known = connection_->has_arrived();
  if (auto sent = connection_->send(message); !sent) {
    spdlog::error("{}", sent.error().message);
    process_.signal(SIGKILL);  // it does not read: as good as hung
  }
  if (is_known || !connection_->has_arrived()) return;
  asio::post(context_, [this] {
    if (connection_) take_messages();
  });
}

void ProxySupervisor::send_listener(std::uint64_t id, const Held& held) {
  send(channel::AddListener{.id = id, .fixed = held.fixed, .pod = held.pod, .sockets = duplicate(held.sockets)});
}

void ProxySupervisor::ping() {
  const std::uint64_t missed = pings_ - answered_;
  if (missed > 0) forget_status_requests();
  if (missed > kMissedPings) {
    end_hung("does not answer");
    return;
  }
  ++pings_;
  send(channel::Ping{.sequence = pings_, .asks_for_services = pings_ % kPingsPerQuestion == 0});
  ping_timer_.expires_after(kPingInterval);
  ping_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && connection_) ping();
  });
}

void ProxySupervisor::set_config(std::shared_ptr<const config::NodeConfig> config) {
  config_ = std::move(config);
  if (config_) send(channel::ApplyConfig{config_});
}

void ProxySupervisor::set_pods(std::vector<config::Pod> pods) {
  pods_ = std::move(pods);
  send(channel::SetPods{pods_});
}

void ProxySupervisor::set_access_log(UniqueFd file) {
  access_log_ = std::move(file);
  send(channel::SetAccessLog{access_log_.duplicate()});
}

Result<> ProxySupervisor::add_listener(std::uint64_t id, std::optional<channel::FixedDestination> fixed,
                                       std::optional<std::uint32_t> pod,
                                       const std::function<Result<std::vector<UniqueFd>>()>& make) {
  Held held{.fixed = std::move(fixed), .pod = pod, .sockets = {}, .make = make};
  if (auto inherited = inherited_.extract(id)) {
    hold(held, std::move(inherited.mapped()));
  } else if (!is_adopting_) {  // else greet() does
    auto made = make();
    if (!made) return tl::unexpected(made.error());
    hold(held, std::move(*made));
  }
  const auto [added, is_new] = listeners_.insert_or_assign(id, std::move(held));
  send_listener(id, added->second);
  return {};
}

void ProxySupervisor::remove_listener(std::uint64_t id) {
  send(channel::RemoveListener{id});
  listeners_.erase(id);
}

std::vector<int> ProxySupervisor::listening_sockets(std::uint64_t id) const {
  std::vector<int> sockets;
  if (const auto found = listeners_.find(id); found != listeners_.end()) {
    for (const UniqueFd& socket : found->second.sockets) sockets.push_back(socket.get());
  }
  return sockets;
}

void ProxySupervisor::send_sockets(channel::AddSockets sockets) { send(std::move(sockets)); }

void ProxySupervisor::inherit(std::vector<channel::AddListener> listeners) {
  for (channel::AddListener& listener : listeners) inherited_[listener.id] = std::move(listener.sockets);
}

std::vector<channel::AddListener> ProxySupervisor::give_away(std::chrono::milliseconds drain) {
  is_stopping_ = true;
  restart_timer_.cancel();
  boost::system::error_code ignored;
  server_.close(ignored);  // no other proxy may come
  std::vector<channel::AddListener> given;
  for (const auto& [id, held] : listeners_) {
    if (held.fixed || held.sockets.empty()) continue;
    given.push_back({.id = id, .fixed = std::nullopt, .pod = held.pod, .sockets = duplicate(held.sockets)});
  }
  send(channel::Drain{drain});
  return given;
}

void ProxySupervisor::request_status(std::function<void(std::optional<std::vector<config::BackendStatus>>)> done) {
  if (!is_answering()) {
    done(std::nullopt);
    return;
  }
  const std::uint64_t sequence = ++last_status_request_;
  status_requests_.emplace(sequence, std::move(done));
  send(channel::StatusRequest{sequence});
}

void ProxySupervisor::stop(std::chrono::milliseconds drain) {
  is_stopping_ = true;
  restart_timer_.cancel();
  ping_timer_.cancel();
  boost::system::error_code ignored;
  server_.close(ignored);
  ::unlink(settings_.process.socket_path.c_str());
  process_.forget();
  if (!connection_ && process_.pid() == 0) return;
  send(channel::Drain{drain});
  if (!connection_) process_.signal(SIGTERM);  // it does not hear us, or not yet
  if (process_.pid() == 0) return;             // somebody else waits for its end
  process_.end_within(drain + kStopReserve);
  lose_connection();
}

}  // namespace agent
