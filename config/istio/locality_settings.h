#pragma once

#include "config/istio/common.h"

namespace config::istio {

// localityLbSetting and zoneAwareLbSetting: not enforced, checked all the same.
void check_locality_setting(const Node& setting, Report& report);
void check_zone_aware_setting(const Node& setting, Report& report);

}  // namespace config::istio
