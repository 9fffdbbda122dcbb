#include "cli/cluster/agents.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "cli/cluster/json_fields.h"

namespace cli::cluster {
namespace {

namespace json = boost::json;

constexpr const char* kMetadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

AgentPod read_pod(const json::value& pod) {
  AgentPod agent;
  agent.node = text(at(pod, "spec", "nodeName"));
  agent.name = text(at(pod, "metadata", "name"));
  agent.is_running =
      text(at(pod, "status", "phase")) == "Running" && at(pod, "metadata", "deletionTimestamp") == nullptr;
  for (const json::value& container : items(at(pod, "spec", "containers"))) {
    for (const json::value& port : items(at(container, "ports"))) {
      if (text(at(port, "name")) == "metrics")
        agent.port = static_cast<std::uint16_t>(number(at(port, "containerPort")));
    }
  }
  for (const json::value& condition : items(at(pod, "status", "conditions"))) {
    if (text(at(condition, "type")) == "Ready") agent.is_ready = text(at(condition, "status")) == "True";
  }
  for (const json::value& status : items(at(pod, "status", "containerStatuses"))) {
    const std::string reason = text(at(status, "state", "waiting", "reason"));
    if (!reason.empty()) agent.waiting_for = text(at(status, "name")) + ": " + reason;
  }
  if (agent.waiting_for.empty()) agent.waiting_for = text(at(pod, "status", "phase"));
  return agent;
}

int worth(const AgentPod& pod) { return (pod.is_ready ? 2 : 0) + (pod.is_running ? 1 : 0); }

std::string page_of(const AgentPod& pod, const std::string& name_space, const std::string& page) {
  return "/api/v1/namespaces/" + url_encoded(name_space) + "/pods/" + url_encoded(pod.name) + ":" +
         std::to_string(pod.port) + "/proxy" + page;
}

// What to do when the API server does not get through: network policies bind it too in some clusters, kubelet never.
std::string explain(const agent::kube::ApiError& error, const AgentPod& pod, const std::string& name_space) {
  if (error.status != 503 && error.status != 500) return error.message;
  return error.message + "; another way: kubectl -n " + name_space + " port-forward pod/" + pod.name + " " +
         std::to_string(pod.port) + ", then fairlead status --admin 127.0.0.1:" + std::to_string(pod.port);
}

void fill(NodeReport& report, const ApiResult<std::string>& config_dump, const ApiResult<std::string>& backends,
          const AgentPod& pod, const std::string& name_space) {
  for (const auto* page : {&config_dump, &backends}) {
    if (*page) continue;
    report.error = explain(page->error(), pod, name_space);
    return;
  }
  auto view = admin::parse_node(*config_dump);
  auto parsed = admin::parse_backends(*backends);
  if (!view || !parsed) {
    report.error = (view ? parsed.error() : view.error()).message;
    return;
  }
  report.config_dump = *config_dump;
  report.clusters = *backends;
  report.view = std::move(*view);
  report.backends = std::move(*parsed);
}

base::Result<std::vector<AgentPod>> find_agents(const Connection& connection, const std::string& name_space) {
  const auto list =
      connection.get("/api/v1/namespaces/" + url_encoded(name_space) + "/pods?labelSelector=app%3Dfairlead");
  if (!list) return base::fail(base::Errc::unavailable, list.error().message);
  return read_agent_pods(*list);
}

}  // namespace

base::Result<std::vector<AgentPod>> read_agent_pods(std::string_view text_of_list) {
  const auto list = parse(text_of_list);
  if (!list) return tl::unexpected(list.error());
  std::map<std::string, AgentPod> best;
  for (const json::value& item : items(at(*list, "items"))) {
    AgentPod pod = read_pod(item);
    if (pod.node.empty()) continue;
    const auto known = best.find(pod.node);
    if (known == best.end() || worth(pod) > worth(known->second)) best.insert_or_assign(pod.node, pod);
  }
  std::vector<AgentPod> pods;
  for (auto& [node, pod] : best) pods.push_back(std::move(pod));
  return pods;
}

base::Result<std::vector<std::string>> read_names(std::string_view text_of_list) {
  const auto list = parse(text_of_list);
  if (!list) return tl::unexpected(list.error());
  std::vector<std::string> names;
  for (const json::value& item : items(at(*list, "items"))) names.push_back(text(at(item, "metadata", "name")));
  return names;
}

base::Result<Fleet> read_fleet(const Connection& connection, const std::string& fairlead_namespace) {
  const auto agents = find_agents(connection, fairlead_namespace);
  if (!agents) return tl::unexpected(agents.error());
  if (agents->empty()) {
    return base::fail(base::Errc::not_found, "there is no pod of Fairlead in the namespace " + fairlead_namespace +
                                                 "; install it, or say where it is with --fairlead-namespace");
  }
  std::vector<ApiRequest> requests;
  std::vector<const AgentPod*> asked;
  Fleet fleet;
  for (const AgentPod& pod : *agents) {
    NodeReport& report = fleet.emplace_back();
    report.node = pod.node;
    report.agent = pod.name;
    if (!pod.is_running || pod.port == 0) {
      report.error = "its agent does not run (" + pod.waiting_for + "): kubectl -n " + fairlead_namespace +
                     " describe pod " + pod.name;
      continue;
    }
    asked.push_back(&pod);
    for (const char* const page : {"/config_dump", "/clusters?format=json"}) {
      requests.push_back({.target = page_of(pod, fairlead_namespace, page)});
    }
  }
  requests.push_back({.target = "/api/v1/nodes", .accept = kMetadataOnly});
  const auto answers = connection.ask_all(std::move(requests));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto report =
        std::find_if(fleet.begin(), fleet.end(), [&](const auto& each) { return each.agent == asked[i]->name; });
    fill(*report, answers[2 * i], answers[2 * i + 1], *asked[i], fairlead_namespace);
  }
  if (const auto& nodes = answers.back()) {  // else we may not know them
    for (const std::string& node : read_names(*nodes).value_or(std::vector<std::string>())) {
      const bool has_agent =
          std::any_of(fleet.begin(), fleet.end(), [&](const auto& each) { return each.node == node; });
      if (has_agent) continue;
      NodeReport& report = fleet.emplace_back();
      report.node = node;
      report.error = "has no agent: connections of its pods pass";
    }
  }
  std::sort(fleet.begin(), fleet.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
  return fleet;
}

}  // namespace cli::cluster
