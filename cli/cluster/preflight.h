#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/check/judge.h"
#include "cli/cluster/connection.h"

// What the API server can say about whether Fairlead can be installed.
namespace cli::cluster {

// Something that installing or looking at Fairlead asks of its user.
struct Need {
  std::string verb, group, resource, subresource;
  bool is_in_fairlead_namespace = false;
  bool is_for_looking = false;  // status and get; else for installing
};
// The objects of deploy/kubernetes, whose rights its user must have to be able to give them, and our own commands'.
const std::vector<Need>& needs();

// Version, rights of the user (SelfSubjectAccessReview), kinds of policies, other agents. Fails when the API server
// does not answer.
base::Result<std::vector<check::Finding>> check_cluster(const Connection& connection,
                                                        const std::string& fairlead_namespace);

// Pure parts.
check::Finding judge_version(std::string_view version_json);
check::Finding judge_policy_kinds(const ApiResult<std::string>& group_json);
// From the DaemonSets and Deployments of all namespaces, metadata only.
std::vector<check::Finding> judge_workloads(const std::vector<std::string_view>& lists,
                                            const std::string& fairlead_namespace);
// Namespaces that asked for two meshes at once.
std::vector<check::Finding> judge_namespaces(std::string_view list_json);

}  // namespace cli::cluster
