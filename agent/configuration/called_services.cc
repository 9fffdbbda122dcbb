#include "agent/configuration/called_services.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace agent {
namespace {

constexpr std::chrono::seconds kAdoption{3};

}  // namespace

bool CalledServices::find(const base::IpAddress& address, const kube::ClusterView& cluster) {
  const auto found = cluster.hosts.find(address);
  if (found == cluster.hosts.end()) return false;
  asked_.emplace_back(address, found->second);
  if (called_.insert(found->second).second) spdlog::info("{} is called from this node", found->second);
  return true;
}

std::vector<base::IpAddress> CalledServices::take_answers() {
  std::vector<base::IpAddress> answers;
  std::erase_if(asked_, [&](const auto& asked) {
    if (!ready_.contains(asked.second)) return false;
    answers.push_back(asked.first);
    return true;
  });
  return answers;
}

config::CompileResult CalledServices::compile(config::Documents& documents, const kube::ClusterView& cluster,
                                              const std::function<void(Hosts)>& want) {
  documents.services_in_use = called_;
  config::CompileResult compiled = config::compile(documents, 0);
  want(compiled.hosts);
  const auto& known = cluster.hosts_with_endpoints;
  if (std::includes(known.begin(), known.end(), compiled.hosts.begin(), compiled.hosts.end())) {
    ready_ = called_;
    return compiled;
  }
  documents.services_in_use = ready_;
  return config::compile(documents, 0);
}

void CalledServices::adopt(const std::vector<std::string>& hosts, base::TimePoint now) {
  called_.insert(hosts.begin(), hosts.end());
  adopts_until_ = now + kAdoption;
}

}  // namespace agent
