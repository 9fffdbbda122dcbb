#include "agent/configuration/called_services.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace agent {
namespace {

constexpr std::chrono::seconds kAdoption{3};

}  // namespace

bool CalledServices::find(const base::IpAddress& address, const kube::ClusterView& cluster, base::TimePoint now) {
  const auto found = cluster.hosts.find(address);
  if (found == cluster.hosts.end()) return false;
  asked_.emplace_back(address, found->second);
  if (last_used_.insert_or_assign(found->second, now).second)
    spdlog::info("{} is called from this node", found->second);
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
  documents.services_in_use = called();
  config::CompileResult compiled = config::compile(documents, 0);
  want(compiled.hosts);
  const auto& known = cluster.hosts_with_endpoints;
  if (std::includes(known.begin(), known.end(), compiled.hosts.begin(), compiled.hosts.end())) {
    ready_ = *documents.services_in_use;
    return compiled;
  }
  std::erase_if(ready_, [&](const std::string& host) { return !known.contains(host); });  // they are read anew
  documents.services_in_use = ready_;
  return config::compile(documents, 0);
}

bool CalledServices::forget_idle(base::TimePoint now, std::span<const std::string> in_use) {
  const auto use = [&](const std::string& host) {
    if (const auto found = last_used_.find(host); found != last_used_.end()) found->second = now;
  };
  for (const std::string& host : in_use) use(host);
  for (const auto& [address, host] : asked_) use(host);  // the proxy will not ask again before it is answered
  const auto forgotten = std::erase_if(last_used_, [&](const auto& each) {
    if (now - each.second < kIdle) return false;
    spdlog::info("{} is not called from this node any more", each.first);
    ready_.erase(each.first);
    return true;
  });
  return forgotten != 0;
}

CalledServices::Hosts CalledServices::called() const {
  Hosts hosts;
  for (const auto& [host, used] : last_used_) hosts.insert(hosts.end(), host);
  return hosts;
}

void CalledServices::adopt(const std::vector<std::string>& hosts, base::TimePoint now) {
  for (const std::string& host : hosts) last_used_.insert_or_assign(host, now);
  adopts_until_ = now + kAdoption;
}

}  // namespace agent
