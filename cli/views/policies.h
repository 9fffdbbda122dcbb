#pragma once

#include <string>

#include "cli/fleet.h"
#include "cli/terminal.h"

namespace cli {

struct PolicyFilter {
  std::string name_space;         // empty: all
  std::string name;               // part of it; empty: all
  bool is_only_troubled = false;  // rejected, or not enforced in every point
};

// Policies with their state, and what was found in them. All nodes read the same documents; where they do not agree,
// the worst state is shown.
std::string policies_text(const Fleet& fleet, const PolicyFilter& filter, const Terminal& terminal);

}  // namespace cli
