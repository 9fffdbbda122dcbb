#pragma once

#include <span>

#include "config/istio/common.h"

// The documents that say where requests may go: ServiceEntry of Istio, Service and EndpointSlice of Kubernetes.
namespace config::istio {

std::span<const Field> service_entry_fields();
ServiceEntry read_service_entry(const Node& spec, const Context& context, Report& report);

std::span<const Field> kubernetes_service_fields();
KubernetesService read_kubernetes_service(const Node& spec, const Context& context, Report& report);

// An EndpointSlice has no spec: its fields stand beside metadata.
std::vector<Field> endpoint_slice_document_fields();
EndpointSlice read_endpoint_slice(const Node& root, const Context& context, Report& report);

}  // namespace config::istio
