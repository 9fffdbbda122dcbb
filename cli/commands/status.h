#pragma once

#include "cli/source.h"
#include "cli/terminal.h"

namespace cli {

struct StatusOptions {
  Source source;
  OutputFormat format = OutputFormat::table;
};

// Is everything as its operator wants it? 1 when it is not (views/host_status.h, views/cluster_status.h).
int run_status(const StatusOptions& options, const Terminal& terminal);

}  // namespace cli
