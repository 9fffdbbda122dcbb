#include "tests/unit/config/support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace config::test {
namespace {

std::string indent(std::string_view text, std::size_t blanks) {
  std::string result;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    result += std::string(blanks, ' ') + std::string(text.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return result;
}

// "shop/web" as the value of `metadata`, without the last brace.
std::string metadata(std::string_view name) {
  const auto slash = name.find('/');
  return "metadata: {namespace: " + std::string(name.substr(0, slash)) +
         ", name: " + std::string(name.substr(slash + 1));
}

}  // namespace

const std::string kGreeter = R"(
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: greeter-service, namespace: default}
spec:
  hosts: [greeter-service.default.svc.cluster.local]
  addresses: [127.77.0.9]
  ports: [{number: 3000, name: http, protocol: HTTP}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
  - {address: 127.0.0.1, ports: {http: 9001}, labels: {app: greeter-service, version: v1}}
  - {address: 127.0.0.1, ports: {http: 9002}, labels: {app: greeter-service, version: v2}}
  - {address: 127.0.0.1, ports: {http: 9003}, labels: {app: greeter-service, version: v3}}
)";

const std::string kClient = R"(
---
apiVersion: fairlead.dev/v1alpha1
kind: Workload
metadata: {name: client, namespace: default, labels: {app: client}}
spec: {selectors: [{cgroup: /fairlead/client}]}
)";

const std::string kSubsets =
    "subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, "
    "{name: v3, labels: {version: v3}}]";

Documents load(std::string_view text) {
  const SourceFile file{"test.yaml", std::string(text)};
  LoadResult result = load_documents({&file, 1});
  for (const Finding& finding : result.findings) {
    if (finding.severity == Severity::error) ADD_FAILURE() << finding.to_string();
  }
  return std::move(result.documents);
}

std::vector<std::string> errors_of(std::string_view text) {
  const SourceFile file{"test.yaml", std::string(text)};
  std::vector<std::string> lines;
  for (const Finding& finding : load_documents({&file, 1}).findings) {
    if (finding.severity == Severity::error) lines.push_back(finding.to_string());
  }
  return lines;
}

std::vector<Finding> warnings_of(std::string_view text) {
  const SourceFile file{"test.yaml", std::string(text)};
  std::vector<Finding> warnings;
  for (const Finding& finding : load_documents({&file, 1}).findings) {
    if (finding.severity == Severity::error) {
      ADD_FAILURE() << finding.to_string();
    } else {
      warnings.push_back(finding);
    }
  }
  return warnings;
}

CompileResult compile_text(std::string_view text) { return compile(load(text), 1); }

const VirtualHost* find_virtual_host(const RouteTable& table, std::uint16_t port, std::string_view domain) {
  for (const PortRoutes& routes : table.ports) {
    if (routes.port != port) continue;
    for (const VirtualHost& host : routes.virtual_hosts) {
      if (std::find(host.domains.begin(), host.domains.end(), domain) != host.domains.end()) return &host;
    }
  }
  return nullptr;
}

std::vector<Route> routes_of(const NodeConfig& config, std::string_view workload, std::string_view domain,
                             std::uint16_t port) {
  for (const Workload& candidate : config.workloads) {
    if (candidate.name != workload) continue;
    if (const VirtualHost* host = find_virtual_host(config.route_tables.at(candidate.route_table), port, domain)) {
      return host->routes;
    }
  }
  ADD_FAILURE() << "no virtual host " << domain << " for " << workload;
  return {};
}

std::string backend_name(const NodeConfig& config, const Route& route, std::size_t destination) {
  const std::uint32_t backend = route.destinations.at(destination).backend;
  return backend == Destination::kUnknownBackend ? "NC" : config.backends.at(backend).name;
}

const Backend* find_backend(const NodeConfig& config, std::string_view name) {
  const auto found = std::find_if(config.backends.begin(), config.backends.end(),
                                  [&](const Backend& backend) { return backend.name == name; });
  return found == config.backends.end() ? nullptr : &*found;
}

std::string virtual_service(std::string_view http) {
  return R"(
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter-service, namespace: default}
spec:
  hosts: [greeter-service]
  http:
)" + indent(http, 2);
}

std::string destination_rule(std::string_view fields) {
  return R"(
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter-service, namespace: default}
spec:
  host: greeter-service
)" + indent(fields, 2);
}

std::string istio_document(std::string_view kind, std::string_view name, std::string_view spec,
                           std::string_view created) {
  std::string text = "\n---\napiVersion: networking.istio.io/v1\nkind: " + std::string(kind) + "\n" + metadata(name);
  if (!created.empty()) text += ", creationTimestamp: \"" + std::string(created) + "\"";
  return text + "}\nspec: " + std::string(spec) + "\n";
}

std::string workload(std::string_view name, std::string_view labels) {
  return "\n---\napiVersion: fairlead.dev/v1alpha1\nkind: Workload\n" + metadata(name) +
         ", labels: " + std::string(labels) + "}\nspec: {selectors: [{cgroup: /" + std::string(name) + "}]}\n";
}

}  // namespace config::test
