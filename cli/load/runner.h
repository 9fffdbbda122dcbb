#pragma once

#include "cli/load/plan.h"

namespace cli::load {

// Carries out the plan on this thread and returns when it is done, over or stopped. Every request that was started is
// counted exactly once, under its status or under kNoAnswer with a reason; only a stop leaves those in flight
// uncounted. Fails only if it cannot begin.
base::Result<Outcome> run(const Plan& plan);

}  // namespace cli::load
