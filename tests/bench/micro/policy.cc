#include <memory>

#include "proxy/http1/head.h"
#include "proxy/http1/write.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/load_balancer.h"
#include "proxy/policy/outlier.h"
#include "proxy/policy/retry.h"
#include "proxy/policy/route_match.h"
#include "tests/bench/micro/body.h"
#include "tests/bench/micro/heads.h"

namespace bench {

namespace policy = proxy::policy;

namespace {

class ParsedRequest final : public policy::RequestView {
 public:
  ParsedRequest() { proxy::http1::parse_request_head(kRequest, {}, head_); }
  [[nodiscard]] std::string_view method() const override { return "GET"; }
  [[nodiscard]] std::string_view path() const override { return "/api/v1/orders/4711?expand=items&currency=EUR"; }
  [[nodiscard]] std::string_view authority() const override { return "shop.default.svc.cluster.local"; }
  [[nodiscard]] std::string_view scheme() const override { return "http"; }
  [[nodiscard]] bool header(std::string_view name, std::string_view& value) const override {
    return proxy::http1::joined_value(kRequest, head_, name, storage_, value);
  }

 private:
  proxy::http1::RequestHead head_;
  mutable std::string storage_;
};

config::Route route(std::string name, config::RouteMatch match) {
  config::Route made;
  made.name = std::move(name);
  made.match = std::move(match);
  return made;
}

// A thousand hosts; the one that is asked for has five rules, of which the last matches.
config::RouteTable make_routes() {
  config::PortRoutes port{.port = 80, .virtual_hosts = {}};
  for (int i = 0; i < 1000; ++i) {
    const std::string name = i == 500 ? "shop" : "service-" + std::to_string(i);
    port.virtual_hosts.push_back({.name = name,
                                  .domains = {name + ".default.svc.cluster.local", name, name + ".default"},
                                  .routes = {route(name, {})}});
  }
  std::vector<config::Route>& rules = port.virtual_hosts[500].routes;
  config::RouteMatch canary;
  canary.headers.push_back({.name = "x-canary", .match = {.kind = config::MatchKind::exact, .value = "yes"}});
  config::RouteMatch session;
  session.headers.push_back({.name = "cookie", .match = {.kind = config::MatchKind::prefix, .value = "session=00"}});
  config::RouteMatch admin;
  admin.uri = {.kind = config::MatchKind::prefix, .value = "/admin/"};
  config::RouteMatch versions;
  versions.uri = {.kind = config::MatchKind::regex, .value = "/api/v[2-9]/.*"};
  rules = {route("canary", canary), route("session", session), route("admin", admin), route("versions", versions),
           route("rest", {})};
  config::RouteTable table;
  table.ports.push_back(std::move(port));
  return table;
}

struct Routes {
  config::RouteTable config = make_routes();
  std::unique_ptr<policy::RouteTable> table = std::move(*policy::RouteTable::build(config));
  ParsedRequest request;
  const policy::RouteTable::Host* host = table->find_host(80, request.authority());
};

struct Picking {
  base::Random random{1};
  policy::EndpointPicker picker;
  std::vector<policy::Candidate> candidates = std::vector<policy::Candidate>(10);
};

}  // namespace

void add_policy(std::vector<Body>& bodies) {
  const auto routes = std::make_shared<Routes>();
  bodies.push_back(
      {"find the host of 1000", [routes] { use(routes->table->find_host(80, routes->request.authority())); }});
  bodies.push_back(
      {"match the last of 5 rules", [routes] { use(policy::RouteTable::match(*routes->host, routes->request)); }});

  for (const auto& [name, algorithm] : {std::pair("round robin", config::LoadBalancer::round_robin),
                                        std::pair("least request", config::LoadBalancer::least_request)}) {
    const auto picking = std::make_shared<Picking>(base::Random{1}, policy::EndpointPicker(algorithm));
    bodies.push_back({std::string("pick one of 10 endpoints, ") + name,
                      [picking] { use(picking->picker.pick(picking->candidates, 50, picking->random)); }});
  }

  config::RetryPolicy retries;
  retries.max_retries = 2;
  bodies.push_back({"decide that a 200 is not retried",
                    [retries] { use(policy::wants_retry(retries, policy::ResponseFacts{.status = 200})); }});
  const auto limits = std::make_shared<policy::Limits>();
  bodies.push_back({"take a permit and give it back", [limits] {
                      use(limits->requests.try_acquire(1024));
                      policy::Permit permit(limits->requests);
                      use(permit);
                    }});
  const base::TimePoint now{std::chrono::seconds(1000)};
  const auto outliers = std::make_shared<policy::OutlierDetector>(config::OutlierPolicy{}, now);
  outliers->update({}, std::vector<policy::OutlierDetector::HostKey>{1, 2, 3}, now);
  bodies.push_back({"report a success to outlier detection", [outliers, now] { outliers->on_response(2, 200, now); }});
}

}  // namespace bench
