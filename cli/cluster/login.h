#pragma once

#include "agent/kube/client_config.h"
#include "base/result.h"

namespace cli::cluster {

// Runs the program that `config` names to log in, if it names one, and fills in the token or certificate that it
// prints. What it says to people goes where our own messages go.
base::Result<> log_in(agent::kube::ClientConfig& config);

// Reads what such a program prints: an ExecCredential.
base::Result<> read_credential(std::string_view json, agent::kube::ClientConfig& config);

}  // namespace cli::cluster
