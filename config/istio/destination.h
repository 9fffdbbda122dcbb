#pragma once

#include "config/istio/common.h"

// Where http, tls and tcp rules, and mirrors, send traffic to.
namespace config::istio {

void check_destination(const Node& node, Report& report);

// Of a rule's `route` list; its destinations have been checked.
void check_weights(const Node& route, Report& report);

}  // namespace config::istio
