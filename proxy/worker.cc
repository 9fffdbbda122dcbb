#include "proxy/worker.h"

#include <pthread.h>

#include <ctime>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "proxy/listener/listener.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds kHousekeepingInterval{500};
constexpr std::chrono::milliseconds kServiceWait{100};

config::Pod unknown_pod() {
  config::Pod pod;
  pod.workload = 0xffffffff;  // of no configuration
  return pod;
}

}  // namespace

Worker::Worker()
    : housekeeping_(engine::Timer::calling<&Worker::keep_house>(*this)),
      log_flush_(engine::Timer::calling<&Worker::flush_log>(*this)) {}

base::Result<std::unique_ptr<Worker>> Worker::create(std::uint32_t index, std::unique_ptr<engine::SendRing> ring,
                                                     telemetry::ShardSet& shards, upstream::SharedPods& shared,
                                                     Demands& demands, std::uint64_t most_connections) {
  auto loop = engine::EventLoop::create(std::move(ring));
  if (!loop) return tl::unexpected(loop.error());
  std::unique_ptr<Worker> worker(new Worker);
  worker->telemetry_ = std::make_unique<telemetry::WorkerTelemetry>(shards, index);
  worker->context_ = std::make_unique<WorkerContext>(index, std::move(*loop), *worker->telemetry_, demands);
  worker->access_log_ = std::make_unique<telemetry::AccessLog>(*worker->telemetry_);
  worker->shared_ = &shared;
  worker->most_connections_ = most_connections;
  worker->unknown_source_ = std::make_unique<Source>(*worker->context_, shared, unknown_pod());
  worker->keep_house_at(worker->loop().now() + kHousekeepingInterval);
  return worker;
}

// Connections refer to requests, requests to pools, pools to the context: they go in that order.
Worker::~Worker() {
  while (!waiting_.empty()) waiting_.front().close();
  while (!open_.empty()) open_.front().close();
  listeners_.clear();
}

void Worker::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "worker");
    loop().run();
  });
}

void Worker::stop() {
  loop().stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::apply(std::shared_ptr<const Snapshot> snapshot) {
  loop().post([this, snapshot = std::move(snapshot)] {
    PinnedSnapshot* const previous = current_;
    snapshots_.push_back(std::make_unique<PinnedSnapshot>(snapshot));
    current_ = snapshots_.back().get();
    context_->counts_tcp = settings().counts_tcp;
    context_->pod_buffer_bytes = settings().pod_buffer_bytes;
    context_->node_buffer_bytes = settings().node_buffer_bytes;
    if (previous != nullptr) {
      demand_lost_services(*previous->snapshot);
      ++previous->requests;  // unpin() drops it if nobody else has it
      unpin(*previous);
    } else {  // connections that came before the first generation waited in the kernel
      std::erase_if(listeners_, [this](auto& entry) { return !loop().add(entry.second->fd(), *entry.second); });
    }
    begin_if([this](const Downstream& downstream) { return knows_service(downstream); });
  });
}

void Worker::on_no_service(const base::IpAddress& address) {
  loop().post([this, address] {
    begin_if([&](const Downstream& downstream) { return downstream.original_destination().ip == address; });
  });
}

template <typename Condition>
void Worker::begin_if(Condition condition) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Downstream& downstream = *it++;
    if (condition(downstream)) begin(downstream);
  }
}

void Worker::begin(Downstream& downstream) {
  downstream.unlink();
  open_.push_back(downstream);
  downstream.begin();
}

void Worker::on_wait_over(Downstream& downstream) { begin(downstream); }

void Worker::add_sockets(std::uint32_t pod, int family, std::vector<base::UniqueFd> sockets) {
  // std::function wants copyable captures.
  const auto shared = std::make_shared<std::vector<base::UniqueFd>>(std::move(sockets));
  loop().post([this, pod, family, shared] {
    const auto found = sources_.find(pod);
    if (found == sources_.end() || found->second->sockets() == nullptr) return;
    found->second->sockets()->of(family).add(std::move(*shared));
  });
}

void Worker::on_new_agent() {
  loop().post([this] {
    for (auto& [id, source] : sources_) {
      if (source->sockets() != nullptr) source->sockets()->demand_again();
    }
  });
}

void Worker::set_pods(std::shared_ptr<const std::vector<config::Pod>> pods) {
  loop().post([this, pods = std::move(pods)] {
    by_cgroup_.clear();
    std::unordered_map<std::uint32_t, std::unique_ptr<Source>> sources;
    for (const config::Pod& pod : *pods) {
      std::unique_ptr<Source>& known = sources_[pod.id];
      if (!known) known = std::make_unique<Source>(*context_, *shared_, pod);
      known->set_pod(pod);
      if (pod.cgroup_id != 0) by_cgroup_[pod.cgroup_id] = known.get();
      sources[pod.id] = std::move(known);
    }
    for (auto& [id, source] : sources_) {
      if (source) departed_.push_back(std::move(source));
    }
    sources_ = std::move(sources);
  });
}

void Worker::add_listener(std::uint64_t id, base::UniqueFd socket, std::optional<ListenerSpec::Fixed> fixed) {
  // std::function wants copyable captures; the listener is made here and added there.
  auto listener = std::make_shared<std::unique_ptr<Listener>>(
      std::make_unique<Listener>(*this, std::move(socket), std::move(fixed)));
  loop().post([this, id, listener] {
    if (is_draining_) return;
    if (current_ != nullptr && !loop().add((*listener)->fd(), **listener)) return;
    listeners_.emplace(id, std::move(*listener));
  });
}

void Worker::remove_listener(std::uint64_t id) {
  loop().post([this, id] {
    const auto [first, last] = listeners_.equal_range(id);
    for (auto each = first; each != last; ++each) {
      if (current_ != nullptr) each->second->accept_all();  // what is in its queue would be reset
      loop().remove(each->second->fd());
    }
    listeners_.erase(first, last);
  });
}

void Worker::set_access_log(base::UniqueFd file) {
  const auto shared = std::make_shared<base::UniqueFd>(std::move(file));  // std::function wants copyable captures
  loop().post([this, shared] {
    has_access_log_ = static_cast<bool>(*shared);
    access_log_->set_sink(std::move(*shared));
  });
}

void Worker::log(const telemetry::RequestRecord& record) {
  const config::ProxySettings& settings = record.config->settings;
  if (!has_access_log_ || settings.access_log_format == config::AccessLogFormat::off) return;
  access_log_->write(record, settings.access_log_format);
  if (!log_flush_.is_armed()) loop().timers().arm(log_flush_, loop().now() + settings.access_log_flush_interval);
}

void Worker::flush_log(base::TimePoint) { access_log_->flush(); }

void Worker::begin_drain() {
  loop().post([this] {
    is_draining_ = true;
    for (auto& [id, listener] : listeners_) loop().remove(listener->fd());
    listeners_.clear();
    while (!waiting_.empty()) waiting_.front().drain();
    for (auto it = open_.begin(); it != open_.end();) {
      Downstream& connection = *it++;
      connection.drain();
    }
  });
}

std::string_view Worker::http_date() {
  const std::int64_t second = std::chrono::system_clock::to_time_t(loop().wall_now());
  if (second != date_second_) {
    date_second_ = second;
    const std::time_t time = second;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[40];
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return date_;
}

PinnedSnapshot& Worker::pin() {
  ++current_->requests;
  return *current_;
}

void Worker::unpin(PinnedSnapshot& pinned) {
  if (--pinned.requests != 0 || &pinned == current_) return;
  take_used(pinned);
  std::erase_if(snapshots_, [&](const auto& each) { return each.get() == &pinned; });
}

Source& Worker::source_of_pod(std::uint32_t pod) {
  const auto found = sources_.find(pod);
  return found == sources_.end() ? *unknown_source_ : *found->second;
}

Source& Worker::source_of_cgroup(std::uint64_t cgroup_id) {
  const auto found = by_cgroup_.find(cgroup_id);
  return found == by_cgroup_.end() ? *unknown_source_ : *found->second;
}

void Worker::accept(Downstream::Accepted accepted) {
  Source& source = *accepted.source;
  if (!source.try_add_connection(settings().max_connections_per_pod)) {
    telemetry_->on_downstream_refused(telemetry::RefusalScope::pod);
    engine::close_with_reset(std::move(accepted.socket));
    return;
  }
  connections_.fetch_add(1, std::memory_order_relaxed);
  telemetry_->on_downstream_opened(source.pod().id);
  Downstream& connection = downstreams_.take(*this);
  const bool is_fixed = accepted.is_fixed;
  waiting_.push_back(connection);
  connection.open(std::move(accepted));
  if (is_fixed || knows_service(connection)) {
    begin(connection);
    return;
  }
  context_->demands.push(ServiceDemand{connection.original_destination().ip});
  connection.begin_at_latest(loop().now() + kServiceWait);
}

// A configuration that has all services has those that connections come for.
bool Worker::knows_service(const Downstream& downstream) const {
  const Snapshot& snapshot = *current_->snapshot;
  return !snapshot.config->has_services_on_demand || snapshot.service_of(downstream.original_destination()) != nullptr;
}

// A service that nobody used any more may be called in the moment in which it goes. Those connections ask for it again.
void Worker::demand_lost_services(const Snapshot& previous) {
  const Snapshot& snapshot = *current_->snapshot;
  if (!snapshot.config->has_services_on_demand) return;
  std::unordered_set<base::IpAddress> lost;
  for (const auto& [address, service] : previous.service_by_address) {
    if (!previous.config->services[service].is_headless && snapshot.service_of(address) == nullptr) {
      lost.insert(address.ip);
    }
  }
  if (lost.empty()) return;
  for (const Downstream& downstream : open_) {
    const base::IpAddress& address = downstream.original_destination().ip;
    if (lost.erase(address) != 0) context_->demands.push(ServiceDemand{address});
  }
}

void Worker::take_used(PinnedSnapshot& pinned) {
  const std::vector<config::Service>& services = pinned.snapshot->config->services;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (pinned.is_used[i]) used_.insert(services[i].host);
  }
  pinned.is_used.assign(services.size(), false);
}

std::set<std::string> Worker::take_services_in_use() {
  for (const Downstream& downstream : open_) {
    use_destination(downstream);
    downstream.use_service();
  }
  for (const auto& pinned : snapshots_) take_used(*pinned);
  return std::exchange(used_, {});
}

void Worker::use_destination(const Downstream& downstream) {
  const config::Service* const service = current_->snapshot->service_of(downstream.original_destination());
  if (service != nullptr) current_->use(*service);
}

void Worker::on_closed(Downstream& downstream) {
  use_destination(downstream);
  Source& source = downstream.source();
  source.remove_connection();
  connections_.fetch_sub(1, std::memory_order_relaxed);
  telemetry_->on_downstream_closed(source.pod().id, downstream.result());
}

// What need not be done for each request: pools of endpoints that are gone, ejections to be counted, pods that left.
void Worker::keep_house(base::TimePoint now) {
  telemetry_->on_loop_lag(base::now() - housekeeping_due_);
  telemetry_->tick();
  for (auto& [id, source] : sources_) source->keep_house(now);
  unknown_source_->keep_house(now);
  for (auto& source : departed_) source->keep_house(now);
  std::erase_if(departed_, [](const auto& source) { return !source->has_connections(); });
  keep_house_at(now + kHousekeepingInterval);
}

void Worker::keep_house_at(base::TimePoint when) {
  housekeeping_due_ = when;
  loop().timers().arm(housekeeping_, when);
}

}  // namespace proxy
