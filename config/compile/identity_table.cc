#include "config/compile/identity_table.h"

#include <utility>

namespace config {
namespace {

// Names and label values were checked when they were read: none contains a NUL, so the joined key is unique.
std::string join(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const std::string_view part : parts) {
    key += part;
    key += '\0';
  }
  return key;
}

}  // namespace

std::uint32_t IdentityTable::Space::id(std::string key) {
  const auto [entry, is_new] = ids.try_emplace(std::move(key), last + 1);
  if (is_new) ++last;
  return entry->second;
}

std::uint32_t IdentityTable::workload_id(const WorkloadIdentity& identity) {
  return workloads_.id(join({identity.workload, identity.workload_namespace, identity.app, identity.version,
                             identity.canonical_service, identity.canonical_revision}));
}

std::uint32_t IdentityTable::service_id(const Service& service) {
  return services_.id(join({service.host, service.name, service.name_space, service.app}));
}

std::uint32_t IdentityTable::pod_id(const std::string& key) { return pods_.id(key); }

}  // namespace config
