#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/compile/compile.h"
#include "config/documents.h"

namespace config::test {

// ServiceEntry greeter-service.default with endpoints v1, v2 and v3, and Workload client.default {app: client}.
extern const std::string kGreeter;
extern const std::string kClient;

// Loads one file named "test.yaml"; fails the running test when it has errors.
Documents load(std::string_view text);
// The errors of one file, as lines.
std::vector<std::string> errors_of(std::string_view text);
// Codes, documents and messages of everything else that is found when it is read.
std::vector<Finding> warnings_of(std::string_view text);

// Loads and compiles.
CompileResult compile_text(std::string_view text);

const VirtualHost* find_virtual_host(const RouteTable& table, std::uint16_t port, std::string_view domain);
// The routes that Workload `name` has for Host `domain`; fails the running test when there are none.
std::vector<Route> routes_of(const NodeConfig& config, std::string_view workload, std::string_view domain,
                             std::uint16_t port = 3000);
// "outbound|3000|v1|greeter-service.default.svc.cluster.local", or "NC".
std::string backend_name(const NodeConfig& config, const Route& route, std::size_t destination = 0);
const Backend* find_backend(const NodeConfig& config, std::string_view name);

// A VirtualService for greeter-service with the given rules (the value of spec.http, in flow or block style).
std::string virtual_service(std::string_view http);
// A DestinationRule for greeter-service with the given spec fields, one on each line.
std::string destination_rule(std::string_view fields);
// Subsets v1, v2 and v3.
extern const std::string kSubsets;

// "shop/web": one document of networking.istio.io; `spec` in flow style, `created` an RFC 3339 time or empty.
std::string istio_document(std::string_view kind, std::string_view name, std::string_view spec,
                           std::string_view created = "");
// A Workload; `labels` in flow style.
std::string workload(std::string_view name, std::string_view labels = "{}");

}  // namespace config::test
