#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cli/check/judge.h"
#include "cli/cluster/connection.h"

// `fairlead check` on every node, by a short Job with the rights of the agent.
namespace cli::cluster {

struct NodeCheckOptions {
  std::string image = "localhost/fairlead:" FAIRLEAD_VERSION;
  // Where the Jobs run; empty: in a namespace of their own, which is removed again.
  std::string name_space;
  std::chrono::nanoseconds patience{std::chrono::minutes(1)};
};

// Makes the Jobs, waits for them and removes them. What goes wrong is a finding as well.
std::vector<check::Finding> check_nodes(const Connection& connection, const NodeCheckOptions& options);

// --- Parts without a connection ---

struct NodeInfo {
  std::string name, kernel, os;
};
std::vector<NodeInfo> read_nodes(std::string_view list_json);

// The same rights and paths of the node as deploy/kubernetes/daemonset.yaml gives the agent.
boost::json::value check_job(const std::string& node, const NodeCheckOptions& options);

// What the command printed on a node: its findings, shortened to one when all is well.
std::vector<check::Finding> judge_node(const NodeInfo& node, std::string_view log);

}  // namespace cli::cluster
