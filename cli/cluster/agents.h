#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/cluster/connection.h"
#include "cli/fleet.h"

// Fairlead's agents in a cluster, asked through the API server: no port needs to be open to us.
namespace cli::cluster {

struct AgentPod {
  std::string node, name;
  std::uint16_t port = 0;  // of the admin endpoint
  bool is_running = false, is_ready = false;
  std::string waiting_for;  // why it does not run: "ImagePullBackOff"
};

// Reads a PodList: of each node the pod that serves, or is the closest to it.
base::Result<std::vector<AgentPod>> read_agent_pods(std::string_view json);

// Names in a list of objects.
base::Result<std::vector<std::string>> read_names(std::string_view json);

// Every agent's pages; also each node that has no agent, as far as we may list nodes. Fails when there is none at all.
base::Result<Fleet> read_fleet(const Connection& connection, const std::string& fairlead_namespace);

}  // namespace cli::cluster
