#include "proxy/control/control.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/build_info.h"
#include "base/unix_socket.h"
#include "channel/connection.h"
#include "proxy/engine/send_ring.h"
#include "proxy/sandbox/sandbox.h"
#include "proxy/server.h"

namespace proxy {
namespace {

using base::Result;
using base::UniqueFd;

constexpr std::chrono::milliseconds kReconnectInterval{200};
constexpr std::chrono::seconds kDrainOnSignal{5};
// When a pod ends, its agent is told at the same time: it lets connections pass, then says Drain.
constexpr std::chrono::seconds kWaitForAgent{2}, kAtOnce{0};

// A connection costs a descriptor on either side, and a shell or systemd gives a thousand unless asked for more.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return ServerOptions{}.descriptors;
  const rlimit all{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &all) == 0 ? all.rlim_cur : limit.rlim_cur;
}

// For as many workers as there are usually; how many there will be is the agent's to say.
std::vector<std::unique_ptr<engine::SendRing>> make_send_rings() {
  std::vector<std::unique_ptr<engine::SendRing>> rings;
  for (unsigned i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); ++i) {
    auto ring = engine::SendRing::create();
    if (!ring) {
      std::fprintf(stderr, "fairlead-proxy: %s; each message is sent by a system call of its own\n",
                   ring.error().message.c_str());
      break;
    }
    rings.push_back(std::move(*ring));
  }
  return rings;
}

class Control {
 public:
  explicit Control(const ControlOptions& options) : options_(options) {}

  Result<> run() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);  // before there are workers: they inherit it
    std::signal(SIGPIPE, SIG_IGN);
    signals_.reset(::signalfd(-1, &signals, SFD_CLOEXEC));
    if (!signals_) return base::fail_errno("signalfd");
    if (auto connected = connect(); !connected && !options_.waits_for_agent) return connected;
    descriptors_ = raise_descriptor_limit();
    send_rings_ = make_send_rings();
    if (auto done = enter_sandbox(); !done) return done;
    while (!is_ending_) {
      if (auto turned = turn(); !turned) return turned;
    }
    if (server_) server_->drain(base::now() + drain_limit_);
    if (start_error_) return tl::unexpected(*start_error_);
    return {};
  }

 private:
  // Waits for the agent or a signal; without an agent, tries to find one.
  Result<> turn() {
    std::array<pollfd, 3> waiting = {pollfd{signals_.get(), POLLIN, 0}, pollfd{agent_ ? agent_->fd() : -1, POLLIN, 0},
                                     pollfd{server_ ? server_->demands().fd() : -1, POLLIN, 0}};
    const bool has_nothing_to_do = agent_ && !ends_at_;
    const bool has_messages = agent_ && agent_->has_arrived();
    const int limit = has_messages ? 0 : has_nothing_to_do ? -1 : static_cast<int>(kReconnectInterval.count());
    if (::poll(waiting.data(), waiting.size(), limit) < 0 && errno != EINTR) return base::fail_errno("poll");
    if (waiting[0].revents != 0) {
      signalfd_siginfo signal;
      static_cast<void>(::read(signals_.get(), &signal, sizeof signal));
      if (!ends_at_) ends_at_ = base::now() + (agent_ && !options_.ends_with_agent ? kWaitForAgent : kAtOnce);
    }
    if (ends_at_ && (!agent_ || base::now() >= *ends_at_)) {
      drain_limit_ = kDrainOnSignal;
      is_ending_ = true;
      return {};
    }
    if (waiting[2].revents != 0) {
      for (const Demand& demand : server_->demands().take()) {
        std::visit([this](const auto& each) { pass_on(each); }, demand);
      }
    }
    if (!agent_) {
      // Not an error: there may be no agent for a long time, and requests go on meanwhile.
      static_cast<void>(connect());
      return {};
    }
    if (waiting[1].revents == 0 && !agent_->has_arrived()) return {};
    auto open = agent_->receive([this](channel::Message message) { std::visit(*this, std::move(message)); });
    if (!open) std::fprintf(stderr, "fairlead-proxy: %s; waiting for another agent\n", open.error().message.c_str());
    if (open && *open) return {};
    agent_.reset();
    if (options_.ends_with_agent) is_ending_ = true;
    return {};
  }

  Result<> connect() {
    auto socket = base::connect_unix(options_.agent_socket);
    if (!socket) return tl::unexpected(socket.error());
    agent_.emplace(std::move(*socket));
    channel::ProxyHello hello{.version = std::string(base::kVersion),
                              .generation = generation_,
                              .listeners = static_cast<std::uint32_t>(listeners_.size()),
                              .hosts = hosts_,
                              .shards = memory_.duplicate()};
    auto sent = agent_->send(std::move(hello));
    for (const auto& [id, listener] : listeners_) {
      if (sent) sent = agent_->send(copy(listener));
    }
    if (!sent) {
      agent_.reset();
      return sent;
    }
    asked_.clear();
    if (server_) server_->on_new_agent();
    return sent;
  }

  void pass_on(const SocketDemand& demand) {
    if (agent_) {
      answer(channel::NeedSockets{
          .pod = demand.pod, .worker = demand.worker, .is_v6 = demand.family == AF_INET6, .count = demand.count});
      return;
    }
    // Nobody can make more. New connections of the pod had better not come to us.
    for (auto it = listeners_.begin(); it != listeners_.end();) {
      const auto listener = it++;
      if (listener->second.pod != demand.pod) continue;
      server_->remove_listener(listener->first);
      listeners_.erase(listener);
    }
  }

  void pass_on(const ServiceDemand& demand) {
    if (!agent_) {
      server_->on_no_service(demand.address);
    } else if (asked_.insert(demand.address).second) {
      answer(channel::FindService{demand.address});
    }
  }

  void pass_on(const SignOfLife& sign) {
    if (agent_) answer(channel::Pong{.sequence = sign.sequence, .used = sign.used});
  }

  static channel::AddListener copy(const channel::AddListener& listener) {
    channel::AddListener copied{.id = listener.id, .fixed = listener.fixed, .pod = listener.pod, .sockets = {}};
    for (const UniqueFd& socket : listener.sockets) copied.sockets.push_back(socket.duplicate());
    return copied;
  }

  void answer(channel::Message message) {
    if (auto sent = agent_->send(message); !sent) {
      std::fprintf(stderr, "fairlead-proxy: %s\n", sent.error().message.c_str());
    }
  }

 public:
  // What the agent says. Anything but Hello needs the server that Hello starts.
  void operator()(channel::Hello message) {
    if (server_) return;  // another agent: the workers and their memory stay
    memory_ = message.shards.duplicate();
    auto shards = telemetry::ShardSet::attach(std::move(message.shards));
    if (!shards) return fail_start(shards.error());
    shards_ = std::move(*shards);
    auto server = Server::start(
        {.workers = message.workers, .descriptors = descriptors_, .send_rings = std::move(send_rings_)}, *shards_);
    if (!server) return fail_start(server.error());
    server_ = std::move(*server);
    send_rings_.clear();
  }
  void operator()(channel::ApplyConfig message) {
    if (!server_) return;
    const std::uint64_t generation = message.config->generation;
    std::vector<std::string> hosts;
    for (const config::Service& service : message.config->services) hosts.push_back(service.host);
    auto applied = server_->apply(std::move(message.config));
    if (applied) {
      generation_ = generation;
      hosts_ = std::move(hosts);
    }
    answer(channel::Applied{generation, applied ? "" : applied.error().message});
  }
  void operator()(channel::SetPods message) {
    if (server_) server_->set_pods(std::move(message.pods));
  }
  void operator()(channel::AddListener message) {
    if (!server_ || listeners_.contains(message.id)) return;
    ListenerSpec spec;
    spec.id = message.id;
    if (message.fixed) {
      spec.fixed = {.original_destination = message.fixed->original_destination,
                    .pod = message.fixed->pod,
                    .passthrough = message.fixed->passthrough};
    }
    for (const UniqueFd& socket : message.sockets) spec.sockets.push_back(socket.duplicate());
    server_->add_listener(std::move(spec));
    listeners_.emplace(message.id, std::move(message));
  }
  void operator()(channel::RemoveListener message) {
    listeners_.erase(message.id);
    if (server_) server_->remove_listener(message.id);
  }
  void operator()(channel::AddSockets message) {
    if (!server_) return;
    server_->add_sockets(
        {.pod = message.pod, .worker = message.worker, .family = message.is_v6 ? AF_INET6 : AF_INET, .count = 0},
        std::move(message.sockets));
  }
  void operator()(channel::ServiceFound message) {
    asked_.erase(message.address);
    if (server_ && message.generation == 0) server_->on_no_service(message.address);
  }
  void operator()(channel::SetAccessLog message) {
    if (server_) server_->set_access_log(std::move(message.file));
  }
  void operator()(channel::Drain message) {
    drain_limit_ = message.deadline;
    is_ending_ = true;
  }
  void operator()(channel::Ping message) {
    if (server_) {
      server_->ask_for_sign_of_life(message.sequence, message.asks_for_services);
    } else {
      answer(channel::Pong{message.sequence});
    }
  }
  void operator()(channel::StatusRequest message) {
    channel::StatusReply reply{.sequence = message.sequence, .backends = {}};
    if (server_) reply.backends = server_->status();
    answer(std::move(reply));
  }
  // What only a proxy says.
  void operator()(const channel::ProxyHello&) {}
  void operator()(const channel::Applied&) {}
  void operator()(const channel::Pong&) {}
  void operator()(const channel::StatusReply&) {}
  void operator()(const channel::NeedSockets&) {}
  void operator()(const channel::FindService&) {}
  // What agents say to each other.
  void operator()(const channel::TakeOver&) {}
  void operator()(const channel::HandedOver&) {}

 private:
  void fail_start(const base::Error& error) {
    start_error_ = error;
    is_ending_ = true;
  }

  const ControlOptions& options_;
  UniqueFd signals_;
  std::optional<channel::Connection> agent_;
  UniqueFd memory_;  // handed to the next agent, so that counters go on
  std::unique_ptr<telemetry::ShardSet> shards_;
  std::uint64_t descriptors_ = 0;
  std::vector<std::unique_ptr<engine::SendRing>> send_rings_;  // until there are workers
  std::unique_ptr<Server> server_;                             // after shards_: workers write there until they end
  std::map<std::uint64_t, channel::AddListener> listeners_;
  std::set<base::IpAddress> asked_;  // services; the agent has not answered yet
  std::uint64_t generation_ = 0;
  std::vector<std::string> hosts_;  // of the services of that generation
  std::optional<base::Error> start_error_;
  std::chrono::milliseconds drain_limit_{0};
  std::optional<base::TimePoint> ends_at_;  // a signal came; Drain may come before
  bool is_ending_ = false;
};

}  // namespace

Result<> run_control(const ControlOptions& options) { return Control(options).run(); }

}  // namespace proxy
