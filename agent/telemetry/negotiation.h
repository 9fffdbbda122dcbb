#pragma once

#include <string_view>

#include "agent/telemetry/page.h"

namespace agent::telemetry {

// Which format a scraper gets for its Accept header. Prefers the higher q, then OpenMetrics; what nobody can satisfy
// gets text, as scrapers expect.
PageFormat negotiate_format(std::string_view accept);
std::string_view content_type(PageFormat format);

// Whether Accept-Encoding lets the page be compressed.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace agent::telemetry
