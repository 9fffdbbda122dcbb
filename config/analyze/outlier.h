#pragma once

#include <functional>

#include "config/documents.h"

namespace config {

// Calls `visit` for every outlierDetection block of `rule`; `subset` is none for the rule's own, `port` 0 for all
// ports.
void for_each_outlier(
    const DestinationRule& rule,
    const std::function<void(const OutlierSettings&, const Subset* subset, std::uint16_t port)>& visit);

}  // namespace config
