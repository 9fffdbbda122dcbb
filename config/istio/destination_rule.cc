#include "config/istio/destination_rule.h"

#include <set>

#include "config/istio/locality_settings.h"

namespace config::istio {
namespace {

// tcp.idleTimeout is the one duration that may be 0s: never. Ten years outlive every connection.
constexpr Milliseconds kNever = std::chrono::hours{24 * 3650};

std::uint32_t limit(const Node& node) {
  const auto value = node.integer();
  return value == 0 ? ConnectionPoolPolicy::kUnlimited : static_cast<std::uint32_t>(value);  // Istio: 0 is "not set"
}

bool is_prime(std::int64_t number) {
  if (number < 2) return false;
  for (std::int64_t factor = 2; factor * factor <= number; ++factor) {
    if (number % factor == 0) return false;
  }
  return true;
}

void check_consistent_hash(const Node& hash, Report& report) {
  const int keys = (hash["httpHeaderName"] ? 1 : 0) + (hash["httpCookie"] ? 1 : 0) + (hash["useSourceIp"] ? 1 : 0) +
                   (hash["httpQueryParameterName"] ? 1 : 0);
  if (keys > 1)
    report.error(hash,
                 "has more than one of httpHeaderName, httpCookie, useSourceIp and "
                 "httpQueryParameterName; keep one");
  const int algorithms =
      (hash["ringHash"] ? 1 : 0) + (hash["maglev"] ? 1 : 0) + (hash["minimumRingSize"].integer() != 0 ? 1 : 0);
  if (algorithms > 1) report.error(hash, "has more than one of ringHash, maglev and minimumRingSize; keep one");
  if (const Node maglev = hash["maglev"]) {
    const auto size = maglev["tableSize"].integer();
    if (!is_prime(size)) report.error(maglev, "tableSize must be a prime number below 5000011, for example 65537");
  }
  std::set<std::string> names;
  for (const Node& attribute : hash["httpCookie"]["attributes"].items()) {
    if (!names.insert(attribute["name"].text()).second) {
      report.error(attribute, "the attribute " + quoted(attribute["name"].text()) + " is there twice; remove one");
    }
  }
}

std::optional<LoadBalancer> read_load_balancer(const Node& node, Report& report) {
  if (!node) return std::nullopt;
  const Node simple = node["simple"];
  if (simple && node["consistentHash"]) report.error(node, "has both simple and consistentHash; keep one");
  if (node["consistentHash"]) check_consistent_hash(node["consistentHash"], report);
  if (node["localityLbSetting"] && node["zoneAwareLbSetting"]) {
    report.error(node, "has both localityLbSetting and zoneAwareLbSetting; keep one");
  }
  check_locality_setting(node["localityLbSetting"], report);
  check_zone_aware_setting(node["zoneAwareLbSetting"], report);
  for (const std::string_view name : {"localityLbSetting", "zoneAwareLbSetting"}) {
    if (node[name] && node[name]["enabled"].boolean(true)) {
      report.warn(kNotEnforced, node[name],
                  "is not enforced by this version of Fairlead: all endpoints count as one locality");
    }
  }
  if (const Node aggression = node["warmup"]["aggression"]; aggression && aggression.number() <= 0) {
    report.error(aggression, aggression.value()->text + " is out of range; allowed is more than 0");
  }
  const std::string word = simple.text();
  if (word == "PASSTHROUGH") {
    report.warn(kNotEnforced, simple, "PASSTHROUGH is not enforced by this version of Fairlead: LEAST_REQUEST is used");
  }
  if (word == "ROUND_ROBIN") return LoadBalancer::round_robin;
  if (word == "RANDOM") return LoadBalancer::random;
  return LoadBalancer::least_request;
}

std::optional<ConnectionPoolPolicy> read_connection_pool(const Node& node, Report& report) {
  if (!node) return std::nullopt;
  const Node tcp = node["tcp"], http = node["http"];
  if (!tcp && !http) report.error(node, "has neither tcp nor http; add one or remove the block");
  ConnectionPoolPolicy pool;
  pool.max_connections = limit(tcp["maxConnections"]);
  pool.connect_timeout = tcp["connectTimeout"].duration().value_or(pool.connect_timeout);
  pool.max_connection_duration = tcp["maxConnectionDuration"].duration();
  if (const Node keepalive = tcp["tcpKeepalive"]) {
    const auto seconds = [](const Node& field) -> std::optional<std::chrono::seconds> {
      const auto duration = field.duration();
      if (!duration) return std::nullopt;
      // The kernel counts in seconds; less than one would be refused by it.
      return std::max(std::chrono::duration_cast<std::chrono::seconds>(*duration), std::chrono::seconds{1});
    };
    ConnectionPoolPolicy::Keepalive settings;
    if (keepalive["probes"]) settings.probes = static_cast<std::uint32_t>(keepalive["probes"].integer());
    settings.time = seconds(keepalive["time"]);
    settings.interval = seconds(keepalive["interval"]);
    pool.tcp_keepalive = settings;
  }
  pool.max_pending_requests = limit(http["http1MaxPendingRequests"]);
  pool.max_requests = limit(http["http2MaxRequests"]);
  pool.max_retries = limit(http["maxRetries"]);
  pool.max_requests_per_connection = static_cast<std::uint32_t>(http["maxRequestsPerConnection"].integer());
  if (const auto idle = http["idleTimeout"].duration()) {
    pool.idle_timeout = *idle;
  } else if (const auto tcp_idle = tcp["idleTimeout"].duration()) {
    pool.idle_timeout = *tcp_idle == Milliseconds{0} ? kNever : *tcp_idle;
  }
  const bool upgrades = http["h2UpgradePolicy"].text() == "UPGRADE";
  if (upgrades && http["useClientProtocol"].boolean()) {
    report.error(http["useClientProtocol"], "cannot be true when h2UpgradePolicy is UPGRADE; remove one of them");
  }
  if (upgrades) {
    report.warn(kNotEnforced, http["h2UpgradePolicy"],
                "is not enforced by this version of Fairlead: upstream connections speak HTTP/1.1");
  }
  if (http["useClientProtocol"].boolean()) {
    report.warn(kNotEnforced, http["useClientProtocol"],
                "is not enforced by this version of Fairlead: upstream connections speak HTTP/1.1");
  }
  return pool;
}

std::optional<OutlierSettings> read_outlier(const Node& node, const Context& context, Report& report) {
  if (!node) return std::nullopt;
  OutlierSettings settings;
  settings.origin = origin_of(node, context);
  OutlierPolicy& policy = settings.policy;
  if (const Node field = node["consecutive5xxErrors"]) {
    settings.sets_consecutive_5xx = true;
    policy.consecutive_5xx = static_cast<std::uint32_t>(field.integer());
  }
  if (const Node field = node["consecutiveGatewayErrors"]) {
    settings.sets_consecutive_gateway = true;
    policy.consecutive_gateway = static_cast<std::uint32_t>(field.integer());
  }
  settings.consecutive_errors = static_cast<std::uint32_t>(node["consecutiveErrors"].integer());
  policy.splits_local_origin = node["splitExternalLocalOriginErrors"].boolean();
  if (const auto failures = node["consecutiveLocalOriginFailures"].integer(); failures > 0) {
    policy.consecutive_local_origin = static_cast<std::uint32_t>(failures);
    if (!policy.splits_local_origin) {
      report.error(node["consecutiveLocalOriginFailures"],
                   "needs splitExternalLocalOriginErrors: true; add it or remove this field");
    }
  }
  policy.interval = node["interval"].duration().value_or(policy.interval);
  policy.base_ejection_time = node["baseEjectionTime"].duration().value_or(policy.base_ejection_time);
  if (const auto percent = node["maxEjectionPercent"].integer(); percent > 0) {
    policy.max_ejection_percent = static_cast<std::uint32_t>(percent);
  }
  policy.min_health_percent = static_cast<std::uint32_t>(node["minHealthPercent"].integer());
  return settings;
}

void check_tls(const Node& tls, Report& report) {
  if (!tls) return;
  const std::string mode = tls["mode"].text("DISABLE");
  const bool has_files = tls["clientCertificate"] || tls["privateKey"] || tls["caCertificates"] || tls["caCrl"];
  if (mode == "MUTUAL" && !tls["credentialName"]) {
    for (const std::string_view name : {"clientCertificate", "privateKey"}) {
      if (tls[name].text().empty()) report.error(tls, std::string(name) + " is missing; mode MUTUAL requires it");
    }
  }
  if ((mode == "SIMPLE" || mode == "MUTUAL") && tls["credentialName"] && has_files) {
    report.error(tls["credentialName"], "cannot stand together with certificate files; remove one of them");
  }
  if (mode != "DISABLE") {
    report.warn(
        kNotEnforced, tls,
        "mode " + mode + " is not enforced by this version of Fairlead: connections to this host are not encrypted");
  }
}

TrafficPolicy read_blocks(const Node& node, const Context& context, Report& report) {
  TrafficPolicy policy;
  policy.load_balancer = read_load_balancer(node["loadBalancer"], report);
  policy.connection_pool = read_connection_pool(node["connectionPool"], report);
  policy.outlier = read_outlier(node["outlierDetection"], context, report);
  check_tls(node["tls"], report);
  return policy;
}

bool has_one_of(const Node& node, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (node[name]) return true;
  }
  return false;
}

std::optional<TrafficPolicy> read_traffic_policy(const Node& node, const Context& context, Report& report) {
  if (!node) return std::nullopt;
  const bool has_ports = !node["portLevelSettings"].items().empty();
  if (!has_ports && !has_one_of(node, {"loadBalancer", "connectionPool", "outlierDetection", "tls", "tunnel",
                                       "proxyProtocol", "retryBudget"})) {
    report.error(node, "is empty; add a block such as connectionPool or remove it");
  }
  if (node["tunnel"] && node["proxyProtocol"]) report.error(node, "has both tunnel and proxyProtocol; keep one");
  if (const std::string protocol = node["tunnel"]["protocol"].text();
      !protocol.empty() && protocol != "CONNECT" && protocol != "POST") {
    report.error(node["tunnel"]["protocol"], quoted(protocol) + " is not known; allowed: CONNECT or POST");
  }
  if (const Node host = node["tunnel"]["targetHost"]) check_domain(host, report, Addresses::allowed);
  TrafficPolicy policy = read_blocks(node, context, report);
  if (const Node budget = node["retryBudget"]) {
    RetryBudgetPolicy settings;
    settings.percent = budget["percent"].number(settings.percent);
    if (const auto concurrency = budget["minRetryConcurrency"].integer(); concurrency > 0) {  // Istio: 0 is "not set"
      settings.min_retry_concurrency = static_cast<std::uint32_t>(concurrency);
    }
    policy.retry_budget = settings;
  }
  for (const Node& item : node["portLevelSettings"].items()) {
    if (!has_one_of(item, {"loadBalancer", "connectionPool", "outlierDetection", "tls"})) {
      report.error(item, "has no block; add for example connectionPool");
    }
    const auto port = static_cast<std::uint16_t>(item["port"]["number"].integer());
    policy.ports.emplace(port, read_blocks(item, context, report));  // the first entry of a port counts
  }
  return policy;
}

}  // namespace

DestinationRule read_destination_rule(const Node& spec, const Context& context, Report& report) {
  DestinationRule rule;
  rule.metadata = context.metadata;
  check_host(spec["host"], report);
  rule.host = expand_host(spec["host"].text(), context);
  rule.policy = read_traffic_policy(spec["trafficPolicy"], context, report);
  std::set<std::string> names;
  for (const Node& item : spec["subsets"].items()) {
    Subset subset;
    subset.name = item["name"].text();
    subset.origin = origin_of(item, context);
    if (!is_dns_label(subset.name)) {
      report.error(item["name"],
                   quoted(subset.name) + " is not a subset name: letters, digits and inner hyphens, at most 63");
    }
    if (!names.insert(subset.name).second) {
      report.error(item["name"], "the subset " + quoted(subset.name) + " is there twice; remove one");
    }
    check_labels(item["labels"], report);
    subset.labels = item["labels"].text_map();
    subset.policy = read_traffic_policy(item["trafficPolicy"], context, report);
    rule.subsets.push_back(std::move(subset));
  }
  check_export_to(spec["exportTo"], context, false, report);
  rule.export_to = spec["exportTo"].texts();
  if (const Node selector = spec["workloadSelector"]) {
    check_labels(selector["matchLabels"], report);
    rule.workload_selector = selector["matchLabels"].text_map();
    for (const std::string& entry : rule.export_to) {
      if (entry != "." && entry != context.metadata.name_space) {
        report.error(spec["exportTo"], "a rule with workloadSelector is private to its namespace; remove exportTo");
        break;
      }
    }
  }
  return rule;
}

}  // namespace config::istio
