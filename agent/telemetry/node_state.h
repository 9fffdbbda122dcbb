#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "telemetry/events.h"
#include "telemetry/shard_layout.h"

// What the agent knows besides the traffic: the facts behind the fairlead_* metrics of the node (OBSERVABILITY 4). The
// agent fills one for each scrape; strings become label values as they are.
namespace agent::telemetry {

enum class RestartReason : std::uint8_t { crash, hang, upgrade, config };
inline constexpr std::array<std::string_view, 4> kRestartReasonNames = {"crash", "hang", "upgrade", "config"};

enum class PodState : std::uint8_t { redirected, skipped, pending, error };
inline constexpr std::array<std::string_view, 4> kPodStateNames = {"redirected", "skipped", "pending", "error"};

enum class MemoryPool : std::uint8_t { sessions, buffers, series, config };
inline constexpr std::array<std::string_view, 4> kMemoryPoolNames = {"sessions", "buffers", "series", "config"};

// Counts of one event loop; the buckets are those of telemetry::kLagBoundSeconds, not cumulative.
struct LoopLag {
  std::array<std::uint64_t, ::telemetry::LagHistogram::kBuckets> buckets{};
  double sum_seconds = 0;
  void observe(std::chrono::nanoseconds lag);
};

struct NodeState {
  std::string version, revision, kernel;

  bool is_proxy_up = false;
  std::array<std::uint64_t, kRestartReasonNames.size()> proxy_restarts{};
  std::uint64_t config_generation = 0, proxy_config_generation = 0;
  std::optional<base::WallTime> config_last_success;
  LoopLag agent_loop_lag;

  struct Policies {
    std::string kind;   // VirtualService
    std::string state;  // active, partial, rejected, inactive
    std::uint64_t count = 0;
  };
  std::vector<Policies> policies;
  struct PolicyRejects {
    std::string kind;
    std::string reason;  // syntax, schema, reference, conflict, unsupported
    std::uint64_t count = 0;
  };
  std::vector<PolicyRejects> policy_rejects;

  // Of the API server; empty without a cluster.
  struct KubeWatch {
    std::string resource;  // pods, virtualservices.networking.istio.io
    struct Count {
      std::string_view label;  // type or reason
      std::uint64_t count = 0;
    };
    std::vector<Count> events, restarts;
    std::optional<base::WallTime> last_sync;
  };
  std::vector<KubeWatch> kube_watches;

  std::array<std::uint64_t, kPodStateNames.size()> pods{};
  struct PodInfo {
    std::string name_space, pod, workload, ip;
  };
  std::vector<PodInfo> pod_infos;

  // Everything of the kernel part; empty without it.
  struct Redirects {
    std::string verdict;  // redirected, passed
    std::string reason;   // -, not_a_service, ...
    std::uint64_t count = 0;
  };
  std::vector<Redirects> redirects;
  struct Program {
    std::string name;
    bool is_attached = false;
  };
  std::vector<Program> programs;
  struct Map {
    std::string name;
    std::uint64_t entries = 0, max_entries = 0;
  };
  std::vector<Map> maps;
  // Connections of a pod that were not redirected. What the proxy does on its behalf is added by the page.
  struct PodTcp {
    std::string name_space, pod;
    ::telemetry::PodTcp counts;
  };
  std::vector<PodTcp> pod_tcp;

  std::optional<std::uint64_t> sockets_ready;
  // `series` is filled in by the page itself.
  std::array<std::optional<std::uint64_t>, kMemoryPoolNames.size()> memory_bytes{};
  std::array<std::optional<std::uint64_t>, kMemoryPoolNames.size()> memory_budget_bytes{};

  // One entry for each service that pods of this node call.
  struct ServiceState {
    std::string host;
    std::array<std::uint64_t, ::telemetry::kLimitKindNames.size()> in_use{};
    std::array<bool, ::telemetry::kLimitKindNames.size()> is_open{};
    std::uint64_t healthy = 0, draining = 0, ejected = 0;
  };
  std::vector<ServiceState> services;
  struct EjectedEndpoint {
    std::string service;
    std::string name_space = "unknown";
    std::string pod;  // or address:port
  };
  std::vector<EjectedEndpoint> ejected_endpoints;

  std::uint64_t agent_log_dropped = 0;
  pid_t agent_pid = 0, proxy_pid = 0;  // 0: none
};

}  // namespace agent::telemetry
