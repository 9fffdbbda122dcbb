#pragma once

#include <string>

#include "base/clock.h"
#include "cli/fleet.h"
#include "cli/terminal.h"

// What `fairlead get` lists. Columns about nodes are there only in a cluster.
namespace cli {

struct ListFilter {
  std::string name_space;  // empty: all
  std::string name;        // part of it; empty: all
};

std::string workloads_text(const Fleet& fleet, const ListFilter& filter, const Terminal& terminal);

// The services that Fairlead serves: all of a host's documents; of a cluster those that captured pods call.
std::string services_text(const Fleet& fleet, const ListFilter& filter, const Terminal& terminal);

// `now`: for the time of day at which an ejected endpoint returns.
std::string endpoints_text(const Fleet& fleet, const ListFilter& filter, base::WallTime now, const Terminal& terminal);

}  // namespace cli
