#pragma once

#include <span>

#include "config/istio/common.h"

namespace config::istio {

std::span<const Field> virtual_service_fields();

// REQUIRES: `spec` was checked against virtual_service_fields() without an error.
VirtualService read_virtual_service(const Node& spec, const Context& context, Report& report);

}  // namespace config::istio
