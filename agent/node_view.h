#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/datapath/exclusions.h"
#include "agent/kube/watch_status.h"
#include "agent/telemetry/node_state.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "config/document_store.h"
#include "config/model/node_config.h"
#include "config/settings.h"

namespace agent {

// One running instance of a workload; the proxy knows it as config::Pod.
using InstanceState = telemetry::PodState;
struct Instance {
  config::Pod pod;  // its workload is an index into Documents::workloads as well
  std::string workload;
  std::string cgroup;  // from the cgroup2 mount; empty for a trial's listener
  std::string ip;      // of a pod
  InstanceState state = InstanceState::pending;
  std::string reason;  // why it is not redirected
  // Of a pod:
  std::string uid;
  bool is_unwanted = false;  // that it is skipped: somebody opted it in, or tried to
  Exclusions excluded;       // what passes all the same
  std::string runtime_class;
  std::vector<std::string> running_containers;
  // Of a pod that has a network namespace of its own, once it is there.
  std::shared_ptr<const base::UniqueFd> network;

  // All is known that redirecting it needs.
  [[nodiscard]] bool is_found() const { return pod.cgroup_id != 0 && (network || !pod.has_own_network); }
};

// What the agent knows at one moment, for the admin endpoint: made by the main thread after each change, immutable.
struct NodeView {
  std::shared_ptr<const config::NodeConfig> config;
  config::Settings settings;
  std::vector<config::DocumentStatus> documents;
  std::vector<config::Finding> findings;  // of the documents and of their compilation
  std::vector<Instance> instances;
  std::optional<base::WallTime> last_success;  // documents were read without an error
  // Documents refused so far, by kind and reason.
  struct Rejects {
    std::string kind, reason;
    std::uint64_t count = 0;
  };
  std::vector<Rejects> rejects;
  std::vector<kube::WatchStatus> watches;  // of the API server

  bool is_proxy_up = false;
  pid_t proxy_pid = 0;
  std::string proxy_version;  // during an upgrade another than ours
  std::uint64_t proxy_generation = 0;
  std::array<std::uint64_t, 4> proxy_restarts{};  // by telemetry::RestartReason
  bool has_listeners = false;                     // 15001 is being listened on
  telemetry::LoopLag loop_lag;                    // of the main thread
};

}  // namespace agent
