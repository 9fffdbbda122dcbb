#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "config/model/node_config.h"

namespace config {

// Numbers that stand for strings in shared memory. A number is given once and never means anything else while the agent
// lives, however often documents are reloaded; 0 is never given. Not for several threads.
class IdentityTable {
 public:
  std::uint32_t workload_id(const WorkloadIdentity& identity);
  std::uint32_t service_id(const Service& service);
  // `key` names one running instance: "cgroup:1234", "as:client.default".
  std::uint32_t pod_id(const std::string& key);

 private:
  struct Space {
    std::unordered_map<std::string, std::uint32_t> ids;
    std::uint32_t last = 0;
    std::uint32_t id(std::string key);
  };
  Space workloads_, services_, pods_;
};

}  // namespace config
