#pragma once

#include <string>

#include "cli/source.h"
#include "cli/terminal.h"

namespace cli {

struct DescribeOptions {
  Source source;
  std::string service;  // name, name.namespace, or host
};

// What is enforced for whom, and by which document. 1 when no agent knows the service.
int run_describe(const DescribeOptions& options, const Terminal& terminal);

}  // namespace cli
