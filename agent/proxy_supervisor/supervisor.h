#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/proxy_supervisor/process.h"
#include "agent/telemetry/node_state.h"
#include "base/clock.h"
#include "channel/connection.h"
#include "telemetry/shared_memory.h"

namespace agent {

// Starts the proxy, keeps it running and tells it everything again when it is a new one. Holds the listeners, so that
// connections wait while there is no proxy; closes them when no proxy stays up, so that they pass. On the main thread.
class ProxySupervisor {
 public:
  struct Settings {
    ProxyProcess::Command process;
    std::uint32_t workers = 1;
  };
  struct Callbacks {
    std::function<void(std::uint64_t generation)> applied;  // the proxy enforces this generation
    std::function<void(std::string error)> refused;         // it cannot
    // A listening socket for redirected connections is in our hands, new or handed back.
    std::function<void(int socket)> listening = [](int) {};
    // Where the proxies count from now on; it stays the same when one takes over from another.
    std::function<void(const ::telemetry::SharedMemory&)> counting = [](const ::telemetry::SharedMemory&) {};
    // Listeners are about to be closed because no proxy stays up: let connections pass until `applied`.
    std::function<void()> passing = [] {};
    // A proxy that has served for an earlier agent is about to be told everything: it has this generation already.
    std::function<void(const channel::ProxyHello&)> adopting = [](const channel::ProxyHello&) {};
    std::function<void(const channel::NeedSockets&)> need_sockets = [](const channel::NeedSockets&) {};
    std::function<void(const channel::FindService&)> find_service = [](const channel::FindService&) {};
    // Once a minute: hosts of the services that the proxy has used since, or uses.
    std::function<void(const std::vector<std::string>&)> services_used = [](const std::vector<std::string>&) {};
  };

  ProxySupervisor(boost::asio::io_context& context, Settings settings, Callbacks callbacks);
  ~ProxySupervisor();

  // Listens for proxies. With `adopts`, one that an earlier agent left behind is given a moment to come; then, or
  // without, a new one is started.
  base::Result<> start(bool adopts);

  // What every proxy is told; sent now if there is one. nullptr: it is to keep the configuration it has.
  void set_config(std::shared_ptr<const config::NodeConfig> config);
  void set_pods(std::vector<config::Pod> pods);
  void set_access_log(base::UniqueFd file);
  // Call start() first. The sockets that an adopted proxy still holds are taken instead of making others, which would
  // share its port without being served.
  base::Result<> add_listener(std::uint64_t id, std::optional<channel::FixedDestination> fixed,
                              std::optional<std::uint32_t> pod,
                              const std::function<base::Result<std::vector<base::UniqueFd>>()>& make);
  // Connections must pass before.
  void remove_listener(std::uint64_t id);
  // Sockets that another agent has made: add_listener() takes them instead of making its own. Before the first one.
  void inherit(std::vector<channel::AddListener> listeners);
  // Copies of all listeners for the next agent; then the proxy drains, and nothing is started any more.
  std::vector<channel::AddListener> give_away(std::chrono::milliseconds drain);
  [[nodiscard]] std::vector<int> listening_sockets(std::uint64_t id) const;
  // To the proxy that has asked.
  void send_sockets(channel::AddSockets sockets);
  void answer(const channel::ServiceFound& found) { send(found); }

  // At once nothing when it does not answer; soon, when it stops answering meanwhile.
  void request_status(std::function<void(std::optional<std::vector<config::BackendStatus>>)> done);

  // Ends the proxy: asks it to drain, then insists.
  void stop(std::chrono::milliseconds drain);

  [[nodiscard]] bool is_up() const { return connection_ != nullptr; }
  // All its threads turn.
  [[nodiscard]] bool is_answering() const { return is_up() && pings_ - answered_ < 2; }
  [[nodiscard]] bool is_listening() const;
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  // As the proxy says; of the one before while there is none.
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] std::uint64_t applied_generation() const { return applied_generation_; }
  [[nodiscard]] const std::array<std::uint64_t, 4>& restarts() const { return restarts_; }

 private:
  struct Held {
    std::optional<channel::FixedDestination> fixed;
    std::optional<std::uint32_t> pod;
    std::vector<base::UniqueFd> sockets;
    std::function<base::Result<std::vector<base::UniqueFd>>()> make;
  };

  base::Result<> spawn();
  void accept_proxy();
  void greet();
  void read_messages();
  void take_messages();
  void handle(channel::Message message);
  void send(const channel::Message& message);
  void send_listener(std::uint64_t id, const Held& held);
  void lose_connection();
  void on_exit(pid_t pid, std::string_view how);
  void restart(telemetry::RestartReason reason);
  void spawn_or_try_later();
  void try_later();
  void end_hung(std::string_view what_it_does);
  void forget_status_requests();
  void close_listeners();
  void expect_proxy();
  void hold(Held& held, std::vector<base::UniqueFd> sockets);
  void ping();

  boost::asio::io_context& context_;
  Settings settings_;
  Callbacks callbacks_;
  boost::asio::posix::stream_descriptor server_;
  ProxyProcess process_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> readable_;  // the connection's descriptor, not owned
  std::unique_ptr<channel::Connection> connection_;
  boost::asio::steady_timer restart_timer_;
  boost::asio::steady_timer ping_timer_;
  std::optional<::telemetry::SharedMemory> memory_;
  std::shared_ptr<const config::NodeConfig> config_;
  std::vector<config::Pod> pods_;
  base::UniqueFd access_log_;
  std::map<std::uint64_t, Held> listeners_;
  std::map<std::uint64_t, std::vector<base::UniqueFd>> inherited_;
  std::optional<channel::ProxyHello> hello_;       // of a proxy whose listeners are still coming
  std::vector<channel::AddListener> handed_back_;  // those that have come
  std::map<std::uint64_t, std::function<void(std::optional<std::vector<config::BackendStatus>>)>> status_requests_;
  std::uint64_t last_status_request_ = 0;
  std::uint64_t pings_ = 0, answered_ = 0;  // sequence numbers
  std::uint64_t applied_generation_ = 0;
  std::deque<base::TimePoint> exits_;                                       // recent ones
  telemetry::RestartReason exit_reason_ = telemetry::RestartReason::crash;  // of the next one
  std::array<std::uint64_t, 4> restarts_{};
  std::string version_;
  bool is_adopting_ = false;  // a proxy is expected that we did not start
  bool is_stopping_ = false;
};

}  // namespace agent
