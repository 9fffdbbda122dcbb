#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "config/model/node_config.h"
#include "proxy/telemetry/record.h"
#include "proxy/telemetry/shard_set.h"
#include "telemetry/events.h"

namespace proxy::telemetry {

using ::telemetry::ConnectionResult;
using ::telemetry::Direction;
using ::telemetry::EjectionCause;
using ::telemetry::FaultKind;
using ::telemetry::LimitKind;
using ::telemetry::LogResult;
using ::telemetry::RefusalScope;
using ::telemetry::RetryOutcome;
using ::telemetry::SuppressionCause;
using ::telemetry::TimeoutKind;

// A TCP connection that is proxied byte by byte. `service` as in RequestRecord.
struct TcpRecord {
  const config::NodeConfig* config = nullptr;
  const config::Pod* pod = nullptr;
  const config::WorkloadIdentity* source = nullptr;
  const config::Service* service = nullptr;
  const config::Endpoint* endpoint = nullptr;
  bool is_passthrough = false;
  std::uint32_t flags = 0;
};

// Where one worker counts. Used on that worker's thread only; in the steady state nothing is allocated, formatted or
// locked: a call is one or two look-ups of a small key and a few additions to memory that only this worker writes.
class WorkerTelemetry {
 public:
  // `shards` outlives this. REQUIRES: worker < shards.workers(), and one object per worker.
  WorkerTelemetry(ShardSet& shards, std::uint32_t worker);
  WorkerTelemetry(const WorkerTelemetry&) = delete;
  WorkerTelemetry& operator=(const WorkerTelemetry&) = delete;
  ~WorkerTelemetry();

  // A request is over: source row and rows of the pod. Does not write the access log.
  void on_request(const RequestRecord& record);
  // An attempt is over: destination row if it was sent, rows of the pod and of the endpoint.
  void on_attempt(const AttemptRecord& record);

  // `service_id` is Service::id; 0 where the Service is not known.
  void on_retry(std::uint32_t service_id, RetryOutcome outcome);
  void on_timeout(std::uint32_t service_id, TimeoutKind kind);
  void on_fault(std::uint32_t service_id, FaultKind kind);
  void on_limit_reject(std::uint32_t service_id, LimitKind limit);
  void on_ejection(std::uint32_t service_id, EjectionCause cause);
  void on_ejection_suppressed(std::uint32_t service_id, SuppressionCause cause);

  // Every opened is followed by one closed. `pod_id` is Pod::id of the caller.
  void on_downstream_opened(std::uint32_t pod_id);
  void on_downstream_closed(std::uint32_t pod_id, ConnectionResult result);
  // Accepted and reset at once.
  void on_downstream_refused(RefusalScope scope);
  void on_memory_refused(RefusalScope scope);
  // Opened: established. A connect that fails is on_upstream_failed alone (timeout, refused).
  void on_upstream_opened();
  void on_upstream_closed(ConnectionResult result);
  void on_upstream_failed(ConnectionResult result);
  // Bytes held for a pod's connections, added or (negative) given back.
  void on_buffered(std::uint32_t pod_id, std::int64_t delta);

  // The kernel's word on a connection made on the pod's behalf, since the last call for it. Without `rtt` none was
  // measured.
  struct TcpNews {
    std::optional<std::chrono::nanoseconds> rtt;
    std::uint64_t retransmits = 0, sent_bytes = 0, received_bytes = 0;
  };
  void on_pod_tcp(std::uint32_t pod_id, const TcpNews& news);
  void on_pod_tcp_reset(std::uint32_t pod_id);

  void on_tcp_opened(const TcpRecord& record);
  // Since the last call for this connection; every 5 s and before on_tcp_closed. Sent: towards the client.
  void on_tcp_bytes(const TcpRecord& record, std::uint64_t sent, std::uint64_t received);
  void on_tcp_closed(const TcpRecord& record);

  void on_original_destination_miss();
  // The kernel had no descriptor or no memory for a socket.
  void on_socket_shortage();
  void on_access_log_lines(LogResult result, std::uint64_t lines);
  void on_loop_lag(std::chrono::nanoseconds lag);

  // Call about once a second, also when idle: gives back series that are to be removed, and shows that the loop turns.
  void tick();

 private:
  template <typename Apply>
  void for_tcp_rows(const TcpRecord& record, Apply apply);

  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace proxy::telemetry
