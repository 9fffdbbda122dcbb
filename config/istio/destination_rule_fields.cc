#include "config/istio/destination_rule.h"

// The whole schema of DestinationRule. Where only some values of a field are not enforced (tls mode DISABLE is what
// Fairlead does anyway), destination_rule.cc reports it, else the table does.
namespace config::istio {
namespace {

constexpr Field kPortSelector[] = {
    {.name = "number", .type = Type::integer, .min = 1, .max = kMaxPort, .is_required = true}};

constexpr std::string_view kSimple[] = {"UNSPECIFIED", "LEAST_CONN",  "RANDOM",
                                        "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"};

constexpr Field kCookieAttribute[] = {{.name = "name", .is_required = true}, {.name = "value"}};
constexpr Field kCookie[] = {
    {.name = "name", .is_required = true},
    {.name = "path"},
    {.name = "ttl", .type = Type::duration, .min = 0},
    {.name = "attributes", .type = Type::object_list, .fields = kCookieAttribute},
};
constexpr Field kRingHash[] = {{.name = "minimumRingSize", .type = Type::integer, .min = 0}};
constexpr Field kMaglev[] = {{.name = "tableSize", .type = Type::integer, .min = 0, .max = 5'000'010}};
constexpr Field kConsistentHash[] = {
    {.name = "httpHeaderName"},
    {.name = "httpCookie", .type = Type::object, .fields = kCookie},
    {.name = "useSourceIp", .type = Type::boolean},
    {.name = "httpQueryParameterName"},
    {.name = "ringHash", .type = Type::object, .fields = kRingHash},
    {.name = "maglev", .type = Type::object, .fields = kMaglev},
    {.name = "minimumRingSize", .type = Type::integer, .min = 0},
};

constexpr Field kDistribute[] = {
    {.name = "from"},
    {.name = "to", .type = Type::integer_map, .min = 0, .max = 100},
};
constexpr Field kFailover[] = {{.name = "from"}, {.name = "to"}};
constexpr Field kLocality[] = {
    {.name = "distribute", .type = Type::object_list, .fields = kDistribute},
    {.name = "failover", .type = Type::object_list, .fields = kFailover},
    {.name = "failoverPriority", .type = Type::text_list},
    {.name = "enabled", .type = Type::boolean},
};
constexpr Field kZoneAware[] = {
    {.name = "enabled", .type = Type::boolean},
    {.name = "failover", .type = Type::object_list, .fields = kFailover},
    {.name = "failoverPriority", .type = Type::text_list},
    {.name = "minClusterSize", .type = Type::integer, .min = 0, .max = kMaxUint32},
};
constexpr Field kWarmup[] = {
    {.name = "duration", .type = Type::duration, .is_required = true},
    {.name = "minimumPercent", .type = Type::number, .min = 0, .max = 100},
    {.name = "aggression", .type = Type::number},
};
constexpr Field kLoadBalancer[] = {
    {.name = "simple", .type = Type::word, .words = kSimple},
    {.name = "consistentHash",
     .type = Type::object,
     .fields = kConsistentHash,
     .support = Support::not_enforced,
     .note = "LEAST_REQUEST is used"},
    {.name = "localityLbSetting", .type = Type::object, .fields = kLocality},
    {.name = "zoneAwareLbSetting", .type = Type::object, .fields = kZoneAware},
    {.name = "warmupDurationSecs",
     .type = Type::duration,
     .min = 0,
     .support = Support::not_enforced,
     .note = "a new endpoint gets its full share at once"},
    {.name = "warmup",
     .type = Type::object,
     .fields = kWarmup,
     .support = Support::not_enforced,
     .note = "a new endpoint gets its full share at once"},
};

constexpr Field kTcpKeepalive[] = {
    {.name = "probes", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "time", .type = Type::duration},
    {.name = "interval", .type = Type::duration},
};
constexpr Field kTcp[] = {
    {.name = "maxConnections", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "connectTimeout", .type = Type::duration},
    {.name = "tcpKeepalive", .type = Type::object, .fields = kTcpKeepalive},
    {.name = "maxConnectionDuration", .type = Type::duration},
    {.name = "idleTimeout", .type = Type::duration, .min = 0},
};
constexpr std::string_view kUpgradePolicies[] = {"DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"};
constexpr Field kHttp2KeepAlive[] = {
    {.name = "interval", .type = Type::duration, .is_required = true},
    {.name = "timeout", .type = Type::duration, .is_required = true},
};
constexpr Field kHttp[] = {
    {.name = "http1MaxPendingRequests", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "http2MaxRequests", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "maxRequestsPerConnection", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "maxRetries", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "idleTimeout", .type = Type::duration},
    {.name = "h2UpgradePolicy", .type = Type::word, .words = kUpgradePolicies},
    {.name = "useClientProtocol", .type = Type::boolean},
    {.name = "maxConcurrentStreams",
     .type = Type::integer,
     .min = 0,
     .max = kMaxInt32,
     .support = Support::not_enforced,
     .note = "upstream connections speak HTTP/1.1"},
    {.name = "http2KeepAlive",
     .type = Type::object,
     .fields = kHttp2KeepAlive,
     .support = Support::not_enforced,
     .note = "upstream connections speak HTTP/1.1"},
};
constexpr Field kConnectionPool[] = {
    {.name = "tcp", .type = Type::object, .fields = kTcp},
    {.name = "http", .type = Type::object, .fields = kHttp},
};

constexpr Field kOutlier[] = {
    {.name = "consecutiveErrors", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "splitExternalLocalOriginErrors", .type = Type::boolean},
    {.name = "consecutiveLocalOriginFailures", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "consecutiveGatewayErrors", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "consecutive5xxErrors", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "interval", .type = Type::duration},
    {.name = "baseEjectionTime", .type = Type::duration},
    {.name = "maxEjectionPercent", .type = Type::integer, .min = 0, .max = 100},
    {.name = "minHealthPercent", .type = Type::integer, .min = 0, .max = 100},
    // Codes are numbers in the API and often quoted in files; nobody enforces them.
    {.name = "outlierDetectionHttpErrorCodes",
     .type = Type::any,
     .support = Support::not_enforced,
     .note = "Istio 1.31 drops it too; errors are 5xx, or 502, 503 and 504"},
};

constexpr std::string_view kTlsModes[] = {"DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"};
constexpr Field kTls[] = {
    {.name = "mode", .type = Type::word, .words = kTlsModes},
    {.name = "clientCertificate"},
    {.name = "privateKey"},
    {.name = "caCertificates"},
    {.name = "credentialName"},
    {.name = "subjectAltNames", .type = Type::text_list},
    {.name = "sni"},
    {.name = "insecureSkipVerify", .type = Type::boolean},
    {.name = "caCrl"},
};

constexpr Field kPortLevel[] = {
    {.name = "port", .type = Type::object, .fields = kPortSelector, .is_required = true},
    {.name = "loadBalancer", .type = Type::object, .fields = kLoadBalancer},
    {.name = "connectionPool", .type = Type::object, .fields = kConnectionPool},
    {.name = "outlierDetection", .type = Type::object, .fields = kOutlier},
    {.name = "tls", .type = Type::object, .fields = kTls},
};

constexpr Field kTunnel[] = {
    {.name = "protocol"},
    {.name = "targetHost", .is_required = true},
    {.name = "targetPort", .type = Type::integer, .min = 1, .max = kMaxPort, .is_required = true},
};
constexpr std::string_view kProxyVersions[] = {"V1", "V2"};
constexpr Field kProxyProtocol[] = {{.name = "version", .type = Type::word, .words = kProxyVersions}};
constexpr Field kRetryBudget[] = {
    {.name = "percent", .type = Type::number, .min = 0, .max = 100},
    {.name = "minRetryConcurrency", .type = Type::integer, .min = 0, .max = kMaxUint32},
    {.name = "budgetInterval",
     .type = Type::duration,
     .min = 0,
     .support = Support::not_enforced,
     .note = "the budget counts the requests that are active now"},
};

constexpr Field kTrafficPolicy[] = {
    {.name = "loadBalancer", .type = Type::object, .fields = kLoadBalancer},
    {.name = "connectionPool", .type = Type::object, .fields = kConnectionPool},
    {.name = "outlierDetection", .type = Type::object, .fields = kOutlier},
    {.name = "tls", .type = Type::object, .fields = kTls},
    {.name = "portLevelSettings", .type = Type::object_list, .fields = kPortLevel},
    {.name = "tunnel",
     .type = Type::object,
     .fields = kTunnel,
     .support = Support::not_enforced,
     .note = "connections go to the endpoint"},
    {.name = "proxyProtocol",
     .type = Type::object,
     .fields = kProxyProtocol,
     .support = Support::not_enforced,
     .note = "no PROXY header is sent"},
    {.name = "retryBudget", .type = Type::object, .fields = kRetryBudget},
};

constexpr Field kSubset[] = {
    {.name = "name", .is_required = true},
    {.name = "labels", .type = Type::text_map},
    {.name = "trafficPolicy", .type = Type::object, .fields = kTrafficPolicy},
};

constexpr Field kWorkloadSelector[] = {{.name = "matchLabels", .type = Type::text_map}};

constexpr Field kSpec[] = {
    {.name = "host", .is_required = true},
    {.name = "trafficPolicy", .type = Type::object, .fields = kTrafficPolicy},
    {.name = "subsets", .type = Type::object_list, .fields = kSubset},
    {.name = "exportTo", .type = Type::text_list},
    {.name = "workloadSelector", .type = Type::object, .fields = kWorkloadSelector},
};

}  // namespace

std::span<const Field> destination_rule_fields() { return kSpec; }

}  // namespace config::istio
