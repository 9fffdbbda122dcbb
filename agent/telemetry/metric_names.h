#pragma once

#include "agent/telemetry/page.h"

// Every metric that Fairlead exposes (OBSERVABILITY 2 and 4), in the order of the page.
namespace agent::telemetry::metric {

using enum MetricType;

inline constexpr Family kIstioRequests{"istio_requests_total", counter,
                                       "Requests, by caller and destination. reporter=source: as the caller saw them; "
                                       "reporter=destination: attempts as the endpoint answered them."};
inline constexpr Family kIstioRequestDuration{"istio_request_duration_milliseconds", histogram,
                                              "Time from the first byte of a request to the last of its response."};
inline constexpr Family kIstioRequestBytes{"istio_request_bytes", histogram,
                                           "Size of requests on the wire, head and framing included."};
inline constexpr Family kIstioResponseBytes{"istio_response_bytes", histogram,
                                            "Size of responses on the wire, head and framing included."};
inline constexpr Family kIstioTcpOpened{"istio_tcp_connections_opened_total", counter, "TCP connections opened."};
inline constexpr Family kIstioTcpClosed{"istio_tcp_connections_closed_total", counter, "TCP connections closed."};
inline constexpr Family kIstioTcpSent{"istio_tcp_sent_bytes_total", counter,
                                      "Bytes sent towards the client of TCP connections."};
inline constexpr Family kIstioTcpReceived{"istio_tcp_received_bytes_total", counter,
                                          "Bytes received from the client of TCP connections."};
inline constexpr Family kIstioBuild{"istio_build", gauge, "Always 1; which component runs in which version."};

inline constexpr Family kPodInfo{"fairlead_pod_info", gauge, "Always 1; joins the rows of a pod to its workload."};
inline constexpr Family kPodRequests{"fairlead_pod_requests_total", counter, "Requests of a pod, as it saw them."};
inline constexpr Family kPodRequestDuration{"fairlead_pod_request_duration_seconds", histogram,
                                            "Duration of the requests of a pod, as it saw them."};
inline constexpr Family kPodAttempts{"fairlead_pod_attempts_total", counter,
                                     "Attempts made for requests of a pod, by what became of them."};
inline constexpr Family kPodConnections{"fairlead_pod_connections", gauge, "Open connections from a pod."};
inline constexpr Family kPodBufferedBytes{"fairlead_pod_buffered_bytes", gauge,
                                          "Bytes held for the connections of a pod."};
inline constexpr Family kPodTcpRtt{"fairlead_pod_tcp_rtt_seconds", histogram,
                                   "Smoothed round trip time of the connections that a pod made, or the proxy for it."};
inline constexpr Family kPodTcpRetransmits{"fairlead_pod_tcp_retransmits_total", counter,
                                           "TCP segments sent again on these connections."};
inline constexpr Family kPodTcpResets{"fairlead_pod_tcp_resets_total", counter,
                                      "Of these connections, those that were reset after they were established."};
inline constexpr Family kPodTcpBytes{"fairlead_pod_tcp_bytes_total", counter,
                                     "Bytes that the peers of these connections acknowledged (sent), or sent."};
inline constexpr Family kEndpointAttempts{"fairlead_endpoint_attempts_total", counter,
                                          "Attempts on an endpoint, by what became of them."};
inline constexpr Family kEndpointEjected{"fairlead_endpoint_ejected", gauge,
                                         "1 while any local workload has ejected the endpoint."};

inline constexpr Family kBreakerOpen{"fairlead_breaker_open", gauge,
                                     "1 while a limit towards the service is used up by some pod."};
inline constexpr Family kBreakerInUse{"fairlead_breaker_in_use", gauge,
                                      "What counts against a limit towards the service, of all pods."};
inline constexpr Family kBreakerRejects{"fairlead_breaker_rejects_total", counter,
                                        "Requests that a limit refused, or (connections) made wait."};
inline constexpr Family kEndpoints{"fairlead_endpoints", gauge, "Endpoints of the service, by state."};
inline constexpr Family kEjections{"fairlead_ejections_total", counter, "Endpoints ejected."};
inline constexpr Family kEjectionsSuppressed{"fairlead_ejections_suppressed_total", counter,
                                             "Ejections that were due but not made."};
inline constexpr Family kRetries{"fairlead_retries_total", counter,
                                 "Retries by how they ended; limit, budget, deadline: those that were not made."};
inline constexpr Family kTimeouts{"fairlead_timeouts_total", counter,
                                  "Timeouts, by what took too long; idle: a pooled connection was not used."};
inline constexpr Family kFaults{"fairlead_faults_injected_total", counter, "Faults injected by policy."};

inline constexpr Family kBuildInfo{"fairlead_build_info", gauge, "Always 1; the version of the agent and the kernel."};
inline constexpr Family kProxyUp{"fairlead_proxy_up", gauge, "1 while the proxy runs and answers the agent."};
inline constexpr Family kProxyRestarts{"fairlead_proxy_restarts_total", counter,
                                       "Starts of the proxy after the first."};
inline constexpr Family kLoopLag{"fairlead_event_loop_lag_seconds", histogram,
                                 "How much later than due an event loop ran a timer."};
inline constexpr Family kConfigGeneration{"fairlead_config_generation", gauge,
                                          "Generation of the configuration that the agent compiled last."};
inline constexpr Family kProxyConfigGeneration{"fairlead_proxy_config_generation", gauge,
                                               "Generation of the configuration that the proxy enforces."};
inline constexpr Family kConfigLastSuccess{"fairlead_config_last_success_timestamp_seconds", gauge,
                                           "When the configuration was last compiled without error."};
inline constexpr Family kPolicies{"fairlead_policies", gauge, "Policy documents, by kind and state."};
inline constexpr Family kPolicyRejects{"fairlead_policy_rejects_total", counter,
                                       "Policy documents refused, by reason."};
inline constexpr Family kKubeWatchEvents{"fairlead_kube_watch_events_total", counter,
                                         "Changes that the API server told of, by resource and type."};
inline constexpr Family kKubeWatchRestarts{"fairlead_kube_watch_restarts_total", counter,
                                           "Watches of the API server that ended, by why; expired: all is read again."};
inline constexpr Family kKubeLastSync{"fairlead_kube_last_sync_timestamp_seconds", gauge,
                                      "When the API server last confirmed what is known of the resource."};
inline constexpr Family kPods{"fairlead_pods", gauge, "Pods of this node, by state."};
inline constexpr Family kRedirects{"fairlead_redirects_total", counter,
                                   "Connections of opted-in pods that were redirected, or passed and why."};
inline constexpr Family kOriginalDestinationMisses{
    "fairlead_original_destination_misses_total", counter,
    "Redirected connections whose original destination was not found. Must stay 0."};
inline constexpr Family kBpfProgramAttached{"fairlead_bpf_program_attached", gauge,
                                            "1 while the eBPF program is attached."};
inline constexpr Family kBpfMapEntries{"fairlead_bpf_map_entries", gauge, "Entries of an eBPF map."};
inline constexpr Family kBpfMapMaxEntries{"fairlead_bpf_map_max_entries", gauge, "Capacity of an eBPF map."};
inline constexpr Family kConnections{"fairlead_connections", gauge, "Open connections of the proxy."};
inline constexpr Family kConnectionsTotal{"fairlead_connections_total", counter,
                                          "Connections of the proxy that ended, by how."};
inline constexpr Family kSocketsReady{"fairlead_sockets_ready", gauge, "Unconnected sockets in stock for pods."};
inline constexpr Family kSocketShortages{"fairlead_socket_shortages_total", counter,
                                         "Times there was no socket for a connection: none in stock, or no "
                                         "descriptor or memory left to accept or to make one."};
inline constexpr Family kMemoryBytes{"fairlead_memory_bytes", gauge, "Memory in use, by pool."};
inline constexpr Family kMemoryBudgetBytes{"fairlead_memory_budget_bytes", gauge, "Memory that may be used, by pool."};
inline constexpr Family kMemoryRefusals{"fairlead_memory_refusals_total", counter,
                                        "Connections or buffers refused because a budget was used up."};
inline constexpr Family kSeries{"fairlead_series", gauge, "Label sets kept, by family."};
inline constexpr Family kSeriesOverflow{
    "fairlead_series_overflow_total", counter,
    "Observations counted in the overflow set because telemetry.maxSeries is reached."};
inline constexpr Family kSeriesExpired{"fairlead_series_expired_total", counter, "Label sets removed when idle."};
inline constexpr Family kAccessLogLines{"fairlead_access_log_lines_total", counter, "Access log lines, by result."};
inline constexpr Family kLogDropped{"fairlead_log_dropped_total", counter,
                                    "Lines of the agent's own log that were dropped."};

inline constexpr Family kProcessCpu{"process_cpu_seconds_total", counter, "User and system CPU time."};
inline constexpr Family kProcessResident{"process_resident_memory_bytes", gauge, "Resident memory."};
inline constexpr Family kProcessVirtual{"process_virtual_memory_bytes", gauge, "Virtual memory."};
inline constexpr Family kProcessOpenFds{"process_open_fds", gauge, "Open file descriptors."};
inline constexpr Family kProcessMaxFds{"process_max_fds", gauge, "Limit of open file descriptors."};
inline constexpr Family kProcessStartTime{"process_start_time_seconds", gauge, "Start time since the epoch."};

}  // namespace agent::telemetry::metric
