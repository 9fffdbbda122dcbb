#pragma once

#include "config/istio/common.h"

namespace config::istio {

// `tls` and `tcp` of a VirtualService: not enforced, checked all the same.
void check_tls_rules(const Node& spec, Report& report);
void check_tcp_rules(const Node& spec, Report& report);

}  // namespace config::istio
