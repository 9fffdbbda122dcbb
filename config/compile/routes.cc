#include "config/compile/routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "config/compile/host_patterns.h"

namespace config {
namespace {

const std::string kDefaultRouteName = "default";
constexpr std::uint16_t kPortOfUnknownHosts = 80;

// What a path condition looks like in x-envoy-decorator-operation.
std::string path_pattern(const RouteMatch& match) {
  if (!match.uri) return "/*";
  switch (match.uri->kind) {
    case MatchKind::prefix:
      return match.uri->value + "*";
    case MatchKind::exact:
    case MatchKind::regex:
      return match.uri->value;
    case MatchKind::present:
      break;
  }
  return "/*";
}

bool matches_viewer(const HttpMatch& match, const Viewer& viewer) {
  // As istiod does it: a list of gateways that names the mesh leaves the source out of the question.
  if (!match.gateways.empty()) {
    return std::find(match.gateways.begin(), match.gateways.end(), "mesh") != match.gateways.end();
  }
  if (!includes(viewer.labels, match.source_labels)) return false;
  return match.source_namespace.empty() || match.source_namespace == viewer.name_space;
}

std::string literal(const base::IpAddress& address) {
  return address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
}

class TableBuilder {
 public:
  TableBuilder(const Documents& documents, const Registry& registry, const Viewer& viewer, const BackendLookup& backend)
      : documents_(documents), registry_(registry), viewer_(viewer), backend_(backend) {
    for (const Registry::Entry& entry : registry.entries()) {
      if (entry.is_in_use && is_visible(entry.export_to, entry.service.name_space, viewer.name_space)) add(entry);
    }
    const VirtualServices all = oldest_first(documents.virtual_services);
    for (const VirtualService* service : visible_virtual_services(all, viewer.name_space)) add(*service);
  }

  RouteTable build() {
    RouteTable table;
    table.unknown_hosts = documents_.settings.unknown_hosts;
    for (const auto& [number, port] : ports_) table.ports.push_back(build_port(number, port));
    return table;
  }

 private:
  using Domains = std::unordered_set<std::string_view>;

  // One destination port: the services that have it, and the VirtualServices that may say something about it.
  struct Port {
    std::vector<const Registry::Entry*> services;
    std::unordered_map<std::string_view, const Registry::Entry*> by_host;
    VirtualServices virtual_services;
  };

  void add(const Registry::Entry& entry) {
    for (const PortDeclaration& declared : entry.ports) {
      if (declared.protocol != Protocol::http) continue;
      Port& port = ports_[declared.number];
      // Of several with one number the first counts.
      if (std::ranges::find(entry.ports, declared.number, &PortDeclaration::number).base() != &declared) continue;
      port.services.push_back(&entry);
      port.by_host.emplace(entry.service.host, &entry);
    }
  }

  void add(const VirtualService& service) {
    for (const std::string& host : service.hosts) claims_.add(host, &service);
    if (std::ranges::any_of(service.hosts, [](const std::string& host) { return is_wildcard(host); })) {
      for (auto& [number, port] : ports_) port.virtual_services.push_back(&service);
      return;
    }
    std::set<std::uint16_t> numbers = {kPortOfUnknownHosts};
    for (const std::string& host : service.hosts) {
      const auto found = registry_.find(host);
      if (!found) continue;
      for (const PortDeclaration& port : registry_.entries()[*found].ports) numbers.insert(port.number);
    }
    for (const std::uint16_t number : numbers) {
      if (const auto port = ports_.find(number); port != ports_.end())
        port->second.virtual_services.push_back(&service);
    }
  }

  // Which VirtualService a service obeys through a wildcard: the one with its exact host if there is one, else the one
  // with the longest wildcard; of several the first.
  [[nodiscard]] const VirtualService* claimant(const Registry::Entry& entry) const {
    const VirtualService* first = nullptr;
    claims_.for_each_covering(entry.service.host, [&](const VirtualServices& services) {
      first = services.front();
      return true;
    });
    return first;
  }

  PortRoutes build_port(std::uint16_t number, const Port& port) {
    PortRoutes result;
    result.port = number;
    Domains taken;
    std::unordered_set<const Registry::Entry*> routed;
    for (const VirtualService* service : port.virtual_services) {
      std::vector<const Registry::Entry*> matched;
      std::vector<std::string> other_hosts;
      for (const std::string& host : service->hosts) match_host(host, *service, port, matched, other_hosts);
      // Hosts that no service has are served on the ports of those that the document shares with services, and on 80.
      if (matched.empty() && (number != kPortOfUnknownHosts || other_hosts.empty())) continue;
      // Not before somebody wants them: what routes lead to is compiled as well.
      const std::vector<Route> routes = build_routes(*service, number);
      if (routes.empty()) continue;
      for (const std::string& host : other_hosts) add_virtual_host(result, taken, host, {host}, routes);
      for (const Registry::Entry* entry : matched) {
        routed.insert(entry);
        add_virtual_host(result, taken, entry->service.host, service_domains(*entry), routes);
      }
    }
    for (const Registry::Entry* entry : port.services) {
      if (routed.contains(entry)) continue;
      add_virtual_host(result, taken, entry->service.host, service_domains(*entry), {default_route(*entry, number)});
    }
    return result;
  }

  void match_host(const std::string& host, const VirtualService& service, const Port& port,
                  std::vector<const Registry::Entry*>& matched, std::vector<std::string>& other_hosts) const {
    bool is_known = false;
    if (!is_wildcard(host)) {
      const auto found = port.by_host.find(host);
      is_known = found != port.by_host.end();
      if (is_known) matched.push_back(found->second);
    } else {
      for (const Registry::Entry* entry : port.services) {
        if (!covers_host(host, entry->service.host)) continue;
        is_known = true;
        if (claimant(*entry) == &service) matched.push_back(entry);
      }
    }
    if (!is_known && !is_unused(host)) other_hosts.push_back(host);
  }

  // A service that nobody calls: its host is not one "that no service has".
  [[nodiscard]] bool is_unused(const std::string& host) const {
    const auto found = registry_.find(host);
    return found && !registry_.entries()[*found].is_in_use;
  }

  // `taken`: the domains that `port` has.
  static void add_virtual_host(PortRoutes& port, Domains& taken, const std::string& host,
                               std::vector<std::string> domains, std::vector<Route> routes) {
    VirtualHost virtual_host;
    virtual_host.name = host + ":" + std::to_string(port.port);
    virtual_host.domains.reserve(domains.size());  // `taken` refers to them
    for (std::string& domain : domains) {
      if (taken.contains(domain)) continue;
      taken.insert(virtual_host.domains.emplace_back(std::move(domain)));
    }
    if (virtual_host.domains.empty()) return;  // an older document has this host
    virtual_host.routes = std::move(routes);
    port.virtual_hosts.push_back(std::move(virtual_host));
  }

  std::vector<std::string> service_domains(const Registry::Entry& entry) const {
    auto domains = domains_of(entry.service.host, viewer_.name_space, documents_.settings.cluster_domain);
    if (entry.service.is_headless) {
      const std::size_t names = domains.size();
      for (std::size_t i = 0; i < names; ++i) domains.push_back("*." + domains[i]);
      return domains;  // its addresses are those of pods, which have other names as well
    }
    for (const base::IpAddress& vip : entry.service.vips) domains.push_back(literal(vip));
    return domains;
  }

  Route default_route(const Registry::Entry& entry, std::uint16_t port) const {
    Route route;
    route.name = kDefaultRouteName;
    route.destinations = {{backend_(entry.service.host, port, ""), 1}};
    route.retry = resolve_retries(documents_.settings.default_retries, std::nullopt, documents_.settings.semantics);
    route.decorator_operation = entry.service.host + ":" + std::to_string(port) + "/*";
    return route;
  }

  std::vector<Route> build_routes(const VirtualService& service, std::uint16_t port) const {
    std::vector<Route> routes;
    for (const HttpRule& rule : service.http) {
      const bool has_effect = !rule.destinations.empty() || rule.direct_response;
      if (!has_effect) continue;
      if (rule.matches.empty()) {
        routes.push_back(build_route(service, rule, nullptr, port));
        break;  // nothing comes after a rule that takes everything
      }
      for (const HttpMatch& match : rule.matches) {
        if ((match.port != 0 && match.port != port) || !matches_viewer(match, viewer_)) continue;
        routes.push_back(build_route(service, rule, &match, port));
        if (is_catch_all(match.match)) return routes;
      }
    }
    return routes;
  }

  Route build_route(const VirtualService& service, const HttpRule& rule, const HttpMatch* match,
                    std::uint16_t port) const {
    Route route;
    route.name = rule.name;
    if (match != nullptr) {
      if (!match->name.empty()) route.name += "." + match->name;
      route.match = match->match;
    }
    route.direct_response = rule.direct_response;
    add_destinations(rule, port, route);
    route.timeout = rule.timeout;
    route.retry = resolve_retries(rule.retries ? rule.retries : documents_.settings.default_retries, rule.timeout,
                                  documents_.settings.semantics);
    route.fault = rule.fault;
    const bool is_single = rule.destinations.size() == 1;
    const std::string target = is_single ? rule.destinations.front().host : service.metadata.name;
    const std::uint16_t target_port = is_single ? destination_port(rule.destinations.front(), port) : port;
    route.decorator_operation = target + ":" + std::to_string(target_port) + path_pattern(route.match);
    route.origin = describe(rule.origin, {"VirtualService", service.metadata.name_space, service.metadata.name});
    return route;
  }

  void add_destinations(const HttpRule& rule, std::uint16_t port, Route& route) const {
    const bool is_single = rule.destinations.size() == 1;  // its weight says nothing
    route.total_weight = 0;
    for (const RouteDestination& destination : rule.destinations) {
      if (!is_single && destination.weight == 0) continue;
      Destination target;
      target.backend = backend_(destination.host, destination_port(destination, port), destination.subset);
      target.weight = is_single ? 1 : destination.weight;
      route.total_weight += target.weight;
      route.destinations.push_back(target);
    }
    route.total_weight = std::max(route.total_weight, 1U);
  }

  // istiod only knows the services of the port the client connected to, so it takes that port even when the destination
  // has one port only, and another. We do the same; the analyzer says so.
  static std::uint16_t destination_port(const RouteDestination& destination, std::uint16_t listener_port) {
    return destination.port != 0 ? destination.port : listener_port;
  }

  const Documents& documents_;
  const Registry& registry_;
  const Viewer& viewer_;
  const BackendLookup& backend_;
  std::map<std::uint16_t, Port> ports_;
  HostPatterns<const VirtualService*> claims_;
};

}  // namespace

bool is_catch_all(const RouteMatch& match) {
  if (!match.headers.empty() || !match.query.empty()) return false;
  if (match.method || match.authority || match.scheme) return false;
  if (!match.uri) return true;
  return (match.uri->kind == MatchKind::prefix && match.uri->value == "/") ||
         (match.uri->kind == MatchKind::regex && match.uri->value == ".*");
}

std::vector<std::string> domains_of(std::string_view host, std::string_view viewer_namespace, std::string_view domain) {
  std::vector<std::string> domains{std::string(host)};
  if (base::IpAddress::parse(host)) return domains;
  domains.push_back(std::string(host) + ".");
  if (!host.ends_with(".svc." + std::string(domain))) return domains;
  // name.namespace of name.namespace.svc.<domain>; name alone for clients of that namespace.
  const std::string_view in_cluster = host.substr(0, host.find(".svc."));
  const auto dot = in_cluster.find('.');
  if (dot == in_cluster.npos) return domains;
  if (in_cluster.substr(dot + 1) == viewer_namespace) domains.emplace_back(in_cluster.substr(0, dot));
  domains.push_back(std::string(in_cluster) + ".svc");
  domains.emplace_back(in_cluster);
  return domains;
}

VirtualServices visible_virtual_services(const VirtualServices& services, std::string_view name_space) {
  VirtualServices own, exported, common;  // private to the namespace, exported to it by name, public
  for (const VirtualService* service : services) {
    const auto& gateways = service->gateways;
    if (service->hosts.empty() || std::find(gateways.begin(), gateways.end(), "mesh") == gateways.end()) continue;
    if (!is_visible(service->export_to, service->metadata.name_space, name_space)) continue;
    const auto& to = service->export_to;
    const bool is_public = to.empty() || std::find(to.begin(), to.end(), "*") != to.end();
    const bool is_own = service->metadata.name_space == name_space;
    (is_public ? common : is_own ? own : exported).push_back(service);
  }
  own.insert(own.end(), exported.begin(), exported.end());
  own.insert(own.end(), common.begin(), common.end());
  return own;
}

RetryPolicy resolve_retries(const std::optional<RetrySettings>& settings, const std::optional<Milliseconds>& timeout,
                            Semantics semantics) {
  RetryPolicy policy;
  if (!settings) return policy;
  policy.max_retries = settings->attempts;
  if (settings->attempts == 0) {
    policy.retry_on = 0;
    return policy;
  }
  if (settings->retry_on != 0) {
    policy.retry_on = settings->retry_on;
    policy.retriable_status_codes = settings->retriable_status_codes;
  } else if (semantics == Semantics::legacy) {
    policy.retry_on = kRetryOn5xx | kRetryOnGatewayError | kRetryOnConnectFailure | kRetryOnRefusedStream;
  }
  // A try may not outlast the request: Envoy then has no per-try timeout at all.
  if (settings->per_try_timeout && (!timeout || *settings->per_try_timeout < *timeout)) {
    policy.per_try_timeout = settings->per_try_timeout;
  }
  policy.avoids_previous_hosts = settings->ignores_previous_hosts.value_or(true);
  if (settings->backoff) {
    policy.backoff_base = *settings->backoff;
    policy.backoff_max = *settings->backoff * 10;
  }
  return policy;
}

RouteTable build_route_table(const Documents& documents, const Registry& registry, const Viewer& viewer,
                             const BackendLookup& backend) {
  return TableBuilder(documents, registry, viewer, backend).build();
}

}  // namespace config
