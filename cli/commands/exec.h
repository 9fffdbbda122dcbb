#pragma once

#include <string>
#include <vector>

#include "cli/admin/client.h"

namespace cli {

struct ExecOptions {
  std::string admin = admin::kDefaultAddress;
  std::string workload;
  std::string name_space = "default";
  std::vector<std::string> command;
};

// Runs the command as an instance of the workload and passes its exit code through. 2: it was not started.
int run_exec(const ExecOptions& options);

}  // namespace cli
