#include "agent/telemetry/identity_table.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "telemetry/shard_layout.h"

namespace agent::telemetry {
namespace {

// No name holds a NUL, so different lists never join to the same string.
std::string join(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const std::string_view part : parts) {
    joined += part;
    joined += '\0';
  }
  return joined;
}

// FNV-1a folded to 31 bits: the same in every build, and outside what SeriesKey keeps for itself.
std::uint32_t preferred_id(std::string_view strings) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : strings) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
  return static_cast<std::uint32_t>((hash ^ hash >> 32U) & (::telemetry::SeriesKey::kHostBit - 1));
}

}  // namespace

template <typename T>
std::uint32_t IdentityTable::Space<T>::assign(std::string strings, T value) {
  if (const auto found = ids.find(strings); found != ids.end()) return found->second;
  std::uint32_t id = preferred_id(strings);
  while (id == 0 || values.contains(id)) id = (id + 1) & (::telemetry::SeriesKey::kHostBit - 1);
  value.id = id;
  values.emplace(id, std::make_shared<const T>(std::move(value)));
  ids.emplace(std::move(strings), id);
  return id;
}

template <typename T>
std::shared_ptr<const T> IdentityTable::Space<T>::find(std::uint32_t id) const {
  const auto found = values.find(id);
  return found == values.end() ? nullptr : found->second;
}

template <typename T>
bool IdentityTable::Space<T>::is_gone(std::uint32_t id) const {
  return has_presence && id != 0 && id < ::telemetry::SeriesKey::kHostBit && !present.contains(id);
}

std::uint32_t IdentityTable::assign(const config::WorkloadIdentity& identity) {
  if (identity == config::WorkloadIdentity{.id = identity.id}) return 0;
  return workloads_.assign(join({identity.workload, identity.workload_namespace, identity.app, identity.version,
                                 identity.canonical_service, identity.canonical_revision}),
                           identity);
}

void IdentityTable::assign(config::NodeConfig& config) {
  const std::scoped_lock lock(mutex_);
  for (config::Service& service : config.services) {
    service.id = services_.assign(join({service.host, service.name, service.name_space, service.app}),
                                  {.host = service.host,
                                   .name = service.name,
                                   .name_space = service.name_space,
                                   .app = service.app,
                                   .vips = {},
                                   .ports = {}});
  }
  for (config::Workload& workload : config.workloads) workload.identity.id = assign(workload.identity);
  for (config::Backend& backend : config.backends) {
    for (config::Endpoint& endpoint : backend.endpoints) {
      endpoint.identity.id = assign(endpoint.identity);
      auto [entry, is_new] = endpoints_.try_emplace(endpoint.address);
      if (is_new) entry->second.pod = endpoint.address.to_string();
      if (entry->second.name_space == "unknown") entry->second.name_space = endpoint.identity.workload_namespace;
    }
  }
}

void IdentityTable::assign(config::Pod& pod) {
  const std::scoped_lock lock(mutex_);
  pod.id = pods_.assign(join({pod.name_space, pod.name, std::to_string(pod.cgroup_id)}), pod);
}

void IdentityTable::set_present(const config::NodeConfig& config, const std::vector<config::Pod>& pods) {
  const std::scoped_lock lock(mutex_);
  workloads_.has_presence = pods_.has_presence = true;
  workloads_.present.clear();
  for (const config::Workload& workload : config.workloads) workloads_.present.insert(workload.identity.id);
  pods_.present.clear();
  for (const config::Pod& pod : pods) pods_.present.insert(pod.id);
}

void IdentityTable::set_endpoint_pod(const base::SocketAddress& address, std::string name_space, std::string pod) {
  const std::scoped_lock lock(mutex_);
  endpoints_[address] = {.name_space = std::move(name_space), .pod = std::move(pod)};
}

std::shared_ptr<const config::WorkloadIdentity> IdentityTable::workload(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return workloads_.find(id);
}
std::shared_ptr<const config::Service> IdentityTable::service(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return services_.find(id);
}
std::shared_ptr<const config::Pod> IdentityTable::pod(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return pods_.find(id);
}

IdentityTable::EndpointName IdentityTable::endpoint(const base::SocketAddress& address) const {
  const std::scoped_lock lock(mutex_);
  const auto found = endpoints_.find(address);
  if (found != endpoints_.end()) return found->second;
  return {.pod = address.to_string()};
}

bool IdentityTable::is_workload_gone(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return workloads_.is_gone(id);
}
bool IdentityTable::is_pod_gone(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return pods_.is_gone(id);
}

}  // namespace agent::telemetry
