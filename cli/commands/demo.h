#pragma once

#include "cli/terminal.h"
#include "config/model/settings.h"

namespace cli {

struct DemoOptions {
  config::Semantics semantics = config::Semantics::istio;
  bool has_no_bpf = false;
  bool keeps_running = false;
};

// The reference scenario on real processes. 1: a step showed something else than it should.
int run_demo(const DemoOptions& options, const Terminal& terminal);

}  // namespace cli
