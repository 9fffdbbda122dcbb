#pragma once

#include <string>

#include "base/clock.h"

// Times as the API writes them: RFC 3339 in UTC.
namespace agent::kube {

std::string api_time(base::WallTime time);        // of metav1.Time: "2026-11-26T19:04:05Z"
std::string api_micro_time(base::WallTime time);  // of metav1.MicroTime: "2026-11-26T19:04:05.123456Z"

}  // namespace agent::kube
