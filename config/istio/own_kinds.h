#pragma once

#include <span>

#include "config/istio/common.h"

// The kinds of fairlead.dev/v1alpha1: Workload, for hosts without Kubernetes, and Settings.
namespace config::istio {

std::span<const Field> workload_fields();
WorkloadDocument read_workload(const Node& spec, const Context& context, Report& report);

std::span<const Field> settings_fields();
Settings read_settings(const Node& spec, Report& report);

}  // namespace config::istio
