#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/compile/registry.h"
#include "config/compile/traffic_policy.h"
#include "config/documents.h"

namespace config {

// Finds or makes the backend of a destination as the viewer sees it; Destination::kUnknownBackend when the host, port
// or subset does not exist for it.
using BackendLookup =
    std::function<std::uint32_t(const std::string& host, std::uint16_t port, const std::string& subset)>;

// The route table of one viewer (SEMANTICS 2.1, 2.2).
RouteTable build_route_table(const Documents& documents, const Registry& registry, const Viewer& viewer,
                             const BackendLookup& backend);

// Elements of Documents::virtual_services, the oldest first.
using VirtualServices = std::vector<const VirtualService*>;

// Those that count for clients of `name_space`, in the order in which they claim hosts: private ones first.
VirtualServices visible_virtual_services(const VirtualServices& services, std::string_view name_space);

// What `retries` of a rule (or the node's default) means; without either, Istio's built-in policy.
RetryPolicy resolve_retries(const std::optional<RetrySettings>& settings, const std::optional<Milliseconds>& timeout,
                            Semantics semantics);

// Whether every request that comes this far matches.
bool is_catch_all(const RouteMatch& match);

// The names by which a client in `viewer_namespace` reaches `host`.
std::vector<std::string> domains_of(std::string_view host, std::string_view viewer_namespace, std::string_view domain);

}  // namespace config
