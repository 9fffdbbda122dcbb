#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proxy/identity/source.h"
#include "proxy/listener/downstream.h"
#include "proxy/server.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/worker_context.h"

namespace proxy {

class Listener;

// One thread of the data path. Owns everything it touches; the public functions marked so are for other threads, all
// others for its own.
class Worker {
 public:
  static base::Result<std::unique_ptr<Worker>> create(std::uint32_t index, std::unique_ptr<engine::SendRing> ring,
                                                      telemetry::ShardSet& shards, upstream::SharedPods& shared,
                                                      Demands& demands, std::uint64_t most_connections);
  ~Worker();

  // --- control thread ---
  void start();
  void stop();  // joins
  void apply(std::shared_ptr<const Snapshot> snapshot);
  void set_pods(std::shared_ptr<const std::vector<config::Pod>> pods);
  void add_listener(std::uint64_t id, base::UniqueFd socket, std::optional<ListenerSpec::Fixed> fixed);
  void remove_listener(std::uint64_t id);
  void add_sockets(std::uint32_t pod, int family, std::vector<base::UniqueFd> sockets);
  // What was demanded is demanded again.
  void on_new_agent();
  // The connections that wait for this service go on without it.
  void on_no_service(const base::IpAddress& address);
  void set_access_log(base::UniqueFd file);
  void begin_drain();
  [[nodiscard]] std::uint32_t open_connections() const { return connections_.load(std::memory_order_relaxed); }

  // --- its own thread ---
  [[nodiscard]] WorkerContext& context() { return *context_; }
  [[nodiscard]] engine::EventLoop& loop() { return *context_->loop; }
  [[nodiscard]] telemetry::WorkerTelemetry& telemetry() { return *telemetry_; }
  [[nodiscard]] const config::ProxySettings& settings() const { return current_->snapshot->config->settings; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  [[nodiscard]] std::string_view http_date();
  void log(const telemetry::RequestRecord& record);

  PinnedSnapshot& pin();
  void unpin(PinnedSnapshot& pinned);
  // Somebody we do not know is a source too: its connections pass through to where they were going.
  Source& source_of_pod(std::uint32_t pod);
  Source& source_of_cgroup(std::uint64_t cgroup_id);

  // Hosts of the services that connections are open to or requests are under way for, or were since the last call.
  std::set<std::string> take_services_in_use();

  // False: those that wait to be accepted have to go on waiting.
  [[nodiscard]] bool has_room() const { return connections_.load(std::memory_order_relaxed) < most_connections_; }
  // REQUIRES: there is a configuration.
  void accept(Downstream::Accepted accepted);
  void on_wait_over(Downstream& downstream);
  void on_closed(Downstream& downstream);
  void recycle(Downstream& downstream) { downstreams_.give_back(downstream); }
  Request& take_request() { return requests_.take(*this); }
  void recycle(Request& request) { requests_.give_back(request); }

 private:
  Worker();
  [[nodiscard]] bool knows_service(const Downstream& downstream) const;
  void begin(Downstream& downstream);
  void demand_lost_services(const Snapshot& previous);
  void use_destination(const Downstream& downstream);
  void take_used(PinnedSnapshot& pinned);
  template <typename Condition>
  void begin_if(Condition condition);
  void keep_house(base::TimePoint now);
  void keep_house_at(base::TimePoint when);
  void flush_log(base::TimePoint now);

  std::unique_ptr<telemetry::WorkerTelemetry> telemetry_;
  std::unique_ptr<WorkerContext> context_;
  upstream::SharedPods* shared_ = nullptr;
  std::vector<std::unique_ptr<PinnedSnapshot>> snapshots_;
  PinnedSnapshot* current_ = nullptr;
  std::set<std::string> used_;  // hosts of services, from generations that are gone
  std::unordered_map<std::uint32_t, std::unique_ptr<Source>> sources_;  // by pod id
  std::unique_ptr<Source> unknown_source_;
  std::vector<std::unique_ptr<Source>> departed_;  // pods that are gone, until they are unused
  std::unordered_map<std::uint64_t, Source*> by_cgroup_;
  std::unordered_multimap<std::uint64_t, std::unique_ptr<Listener>> listeners_;
  engine::ObjectPool<Downstream> downstreams_;
  engine::ObjectPool<Request> requests_;
  boost::intrusive::list<Downstream, boost::intrusive::constant_time_size<false>> open_;
  boost::intrusive::list<Downstream, boost::intrusive::constant_time_size<false>> waiting_;  // for a service
  std::atomic<std::uint32_t> connections_{0};
  std::uint64_t most_connections_ = 0;
  std::string date_;
  std::int64_t date_second_ = -1;
  engine::Timer housekeeping_;
  base::TimePoint housekeeping_due_;
  engine::Timer log_flush_;
  std::unique_ptr<telemetry::AccessLog> access_log_;
  bool has_access_log_ = false;
  bool is_draining_ = false;
  std::thread thread_;
};

}  // namespace proxy
