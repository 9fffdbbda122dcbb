#include "cli/cluster/preflight.h"

#include <array>
#include <boost/json.hpp>
#include <cstdio>

#include "cli/cluster/json_fields.h"

namespace cli::cluster {
namespace {

namespace json = boost::json;
using check::Finding;
using check::Verdict;

constexpr int kMinimumMinor = 30;  // appArmorProfile in a securityContext
constexpr const char* kMetadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

std::string named(const Need& need) {
  return need.verb + " " + need.resource + (need.subresource.empty() ? "" : "/" + need.subresource) +
         (need.group.empty() ? "" : "." + need.group);
}

ApiRequest review(const Need& need, const std::string& fairlead_namespace) {
  json::object attributes{{"verb", need.verb}, {"group", need.group}, {"resource", need.resource}};
  if (!need.subresource.empty()) attributes["subresource"] = need.subresource;
  if (need.is_in_fairlead_namespace) attributes["namespace"] = fairlead_namespace;
  const json::object review{{"apiVersion", "authorization.k8s.io/v1"},
                            {"kind", "SelfSubjectAccessReview"},
                            {"spec", {{"resourceAttributes", std::move(attributes)}}}};
  return {.method = ApiRequest::Method::post,
          .target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
          .body = json::serialize(review)};
}

bool is_allowed(const ApiResult<std::string>& answer) {
  if (!answer) return false;
  const auto page = parse(*answer);
  return page && truth(at(*page, "status", "allowed"));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// One finding for what installing needs, one for what looking needs.
std::vector<Finding> judge_rights(const std::vector<ApiResult<std::string>>& answers) {
  std::vector<std::string> to_install, to_look;
  std::size_t installing = 0;
  for (std::size_t i = 0; i < needs().size(); ++i) {
    const Need& need = needs()[i];
    if (!need.is_for_looking) ++installing;
    if (!is_allowed(answers[i])) (need.is_for_looking ? to_look : to_install).push_back(named(need));
  }
  std::vector<Finding> findings;
  if (to_install.empty()) {
    findings.push_back(
        {Verdict::good, "rights to install", "all " + std::to_string(installing) + " that were asked for", ""});
  } else {
    findings.push_back({Verdict::missing, "rights to install", "you may not " + joined(to_install),
                        "have it installed by somebody with the role cluster-admin"});
  }
  if (to_look.empty()) {
    findings.push_back({Verdict::good, "rights to look", "pods of Fairlead can be asked through the API server", ""});
  } else {
    findings.push_back({Verdict::note, "rights to look", "you may not " + joined(to_look) + ": status and get need it",
                        "have them granted in the namespace of Fairlead"});
  }
  return findings;
}

struct KnownAgent {
  std::string_view workload, what;
  bool takes_connections;  // of pods, on the node
};
constexpr std::array<KnownAgent, 9> kKnownAgents{{
    {"istio-cni-node", "Istio's CNI plugin", true},
    {"ztunnel", "Istio's ambient mode", true},
    {"istiod", "Istio", false},
    {"cilium", "Cilium", true},
    {"linkerd-cni", "Linkerd's CNI plugin", true},
    {"linkerd-destination", "Linkerd", false},
    {"kuma-cni-node", "Kuma's CNI plugin", true},
    {"kuma-control-plane", "Kuma", false},
    {"consul-cni", "Consul's CNI plugin", true},
}};

}  // namespace

const std::vector<Need>& needs() {
  static const std::vector<Need> kNeeds = [] {
    std::vector<Need> all{{"create", "", "namespaces", ""},
                          {"create", "rbac.authorization.k8s.io", "clusterroles", ""},
                          {"create", "rbac.authorization.k8s.io", "clusterrolebindings", ""}};
    for (const auto& [group, resource] : {std::pair{"", "serviceaccounts"},
                                          {"", "configmaps"},
                                          {"", "resourcequotas"},
                                          {"apps", "daemonsets"},
                                          {"networking.k8s.io", "networkpolicies"},
                                          {"rbac.authorization.k8s.io", "roles"},
                                          {"rbac.authorization.k8s.io", "rolebindings"}}) {
      all.push_back({"create", group, resource, "", true});
    }
    // Nobody can give away a right that he does not have.
    for (const char* const verb : {"list", "watch"}) {
      for (const char* const resource : {"namespaces", "nodes", "pods", "services"})
        all.push_back({verb, "", resource, ""});
      all.push_back({verb, "discovery.k8s.io", "endpointslices", ""});
      for (const char* const resource : {"destinationrules", "serviceentries", "virtualservices"}) {
        all.push_back({verb, "networking.istio.io", resource, ""});
      }
    }
    for (const char* const resource : {"destinationrules", "serviceentries", "virtualservices"}) {
      all.push_back({"patch", "networking.istio.io", resource, "status"});
    }
    for (const char* const verb : {"create", "patch"}) all.push_back({verb, "events.k8s.io", "events", ""});
    for (const char* const verb : {"create", "get", "update"}) {
      all.push_back({verb, "coordination.k8s.io", "leases", "", true});
    }
    all.push_back({"list", "", "pods", "", true, true});
    all.push_back({"get", "", "pods", "proxy", true, true});
    return all;
  }();
  return kNeeds;
}

Finding judge_version(std::string_view version_json) {
  const auto page = parse(version_json);
  const std::string version = page ? text(at(*page, "gitVersion")) : std::string();
  int major = 0, minor = 0;
  if (std::sscanf(version.c_str(), "v%d.%d", &major, &minor) != 2) {
    return {Verdict::note, "Kubernetes", "its version is not understood: " + version, ""};
  }
  if (major > 1 || minor >= kMinimumMinor) return {Verdict::good, "Kubernetes", version, ""};
  return {Verdict::missing, "Kubernetes", version + " is older than v1.30", "upgrade the cluster"};
}

Finding judge_policy_kinds(const ApiResult<std::string>& group_json) {
  constexpr const char* kSubject = "policies";
  if (!group_json) {
    return {Verdict::note, kSubject,
            "the kinds VirtualService and DestinationRule are not installed; Fairlead runs without",
            "install Istio's definitions (its file crd-all.gen.yaml, without Istio itself)"};
  }
  const auto page = parse(*group_json);
  std::string versions;
  for (const json::value& version : items(page ? at(*page, "versions") : nullptr)) {
    versions += (versions.empty() ? "" : ", ") + text(at(version, "version"));
  }
  return {Verdict::good, kSubject, "networking.istio.io " + versions, ""};
}

std::vector<Finding> judge_workloads(const std::vector<std::string_view>& lists,
                                     const std::string& fairlead_namespace) {
  std::vector<Finding> findings;
  for (const std::string_view list : lists) {
    const auto page = parse(list);
    for (const json::value& item : items(page ? at(*page, "items") : nullptr)) {
      const std::string name = text(at(item, "metadata", "name"));
      const std::string name_space = text(at(item, "metadata", "namespace"));
      if (text(at(item, "metadata", "labels", "app.kubernetes.io/name")) == "fairlead") {
        if (name_space == fairlead_namespace) {
          findings.push_back({Verdict::good, "fairlead", "is installed in " + name_space, ""});
        } else {
          findings.push_back({Verdict::missing, "fairlead",
                              "is installed in " + name_space + " as well, and one agent serves a node",
                              "remove one of the two, or name this one with --fairlead-namespace " + name_space});
        }
      }
      for (const KnownAgent& known : kKnownAgents) {
        if (name != known.workload) continue;
        const std::string where = std::string(known.what) + " (" + name_space + "/" + name + ")";
        if (known.takes_connections) {
          findings.push_back({Verdict::note, "other agents", where + " may redirect connections, too",
                              "let each namespace be taken by one of the two only"});
        } else {
          findings.push_back({Verdict::note, "other agents", where + ": pods with its sidecar are not captured", ""});
        }
      }
    }
  }
  if (findings.empty()) findings.push_back({Verdict::good, "other agents", "none found", ""});
  return findings;
}

std::vector<Finding> judge_namespaces(std::string_view list_json) {
  std::vector<Finding> findings;
  const auto page = parse(list_json);
  for (const json::value& item : items(page ? at(*page, "items") : nullptr)) {
    const auto label = [&](std::string_view name) { return text(at(item, "metadata", "labels", name)); };
    if (label("fairlead.dev/mode") != "enabled") continue;
    for (const auto& [name, value] : {std::pair{"istio-injection", "enabled"},
                                      {"istio.io/dataplane-mode", "ambient"},
                                      {"linkerd.io/inject", "enabled"}}) {
      if (label(name) != value) continue;
      findings.push_back({Verdict::note, "namespace " + text(at(item, "metadata", "name")),
                          std::string("has both fairlead.dev/mode: enabled and ") + name + ": " + value,
                          "take one of the two labels away"});
    }
  }
  return findings;
}

base::Result<std::vector<Finding>> check_cluster(const Connection& connection, const std::string& fairlead_namespace) {
  const auto version = connection.get("/version");
  if (!version) return base::fail(base::Errc::unavailable, version.error().message);
  std::vector<Finding> findings{judge_version(*version)};
  std::vector<ApiRequest> requests;
  for (const Need& need : needs()) requests.push_back(review(need, fairlead_namespace));
  const auto rights = connection.ask_all(std::move(requests));
  for (Finding& finding : judge_rights(rights)) findings.push_back(std::move(finding));

  const auto there = connection.ask_all({{.target = "/apis/networking.istio.io"},
                                         {.target = "/apis/apps/v1/daemonsets", .accept = kMetadataOnly},
                                         {.target = "/apis/apps/v1/deployments", .accept = kMetadataOnly},
                                         {.target = "/api/v1/namespaces", .accept = kMetadataOnly}});
  findings.push_back(judge_policy_kinds(there[0]));
  if (!there[1] || !there[2] || !there[3]) {
    const auto& first = !there[1] ? there[1] : !there[2] ? there[2] : there[3];
    findings.push_back({Verdict::note, "other agents", "not looked for: " + first.error().message, ""});
    return findings;
  }
  for (Finding& finding : judge_workloads({*there[1], *there[2]}, fairlead_namespace)) {
    findings.push_back(std::move(finding));
  }
  for (Finding& finding : judge_namespaces(*there[3])) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace cli::cluster
