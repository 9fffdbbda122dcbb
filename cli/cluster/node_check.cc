#include "cli/cluster/node_check.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <thread>

#include "base/clock.h"
#include "cli/check/findings.h"
#include "cli/cluster/json_fields.h"
#include "cli/interrupt.h"

namespace cli::cluster {
namespace {

namespace json = boost::json;
using check::Finding;
using check::Verdict;

constexpr std::chrono::milliseconds kPollInterval{250};
constexpr const char* kLabel = "fairlead-check";
constexpr const char* kNodeLabel = "fairlead.dev/node";

// Where the Jobs run, for as long as this lives.
class Place {
 public:
  static ApiResult<Place> make(const Connection& connection, const std::string& name) {
    if (!name.empty()) return Place(connection, name, false);
    // The pods need what only a privileged namespace admits.
    const json::object name_space{
        {"apiVersion", "v1"},
        {"kind", "Namespace"},
        {"metadata",
         {{"generateName", "fairlead-check-"},
          {"labels", {{"app.kubernetes.io/name", kLabel}, {"pod-security.kubernetes.io/enforce", "privileged"}}}}}};
    const auto made = connection.ask(
        {.method = ApiRequest::Method::post, .target = "/api/v1/namespaces", .body = json::serialize(name_space)});
    if (!made) return tl::unexpected(made.error());
    const auto page = parse(*made);
    return Place(connection, page ? text(at(*page, "metadata", "name")) : std::string(), true);
  }
  Place(Place&& other) noexcept
      : connection_(other.connection_), name_(std::move(other.name_)), is_ours_(other.is_ours_) {
    other.name_.clear();
  }
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (name_.empty()) return;
    const std::string target =
        is_ours_ ? "/api/v1/namespaces/" + name_
                 : jobs() + "?propagationPolicy=Background&labelSelector=app.kubernetes.io%2Fname%3D" + kLabel;
    (void)connection_.ask({.method = ApiRequest::Method::del, .target = target, .body = "{}"});
  }

  [[nodiscard]] std::string jobs() const { return "/apis/batch/v1/namespaces/" + url_encoded(name_) + "/jobs"; }
  [[nodiscard]] std::string pods() const { return "/api/v1/namespaces/" + url_encoded(name_) + "/pods"; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  Place(const Connection& connection, std::string name, bool is_ours)
      : connection_(connection), name_(std::move(name)), is_ours_(is_ours) {}
  const Connection& connection_;
  std::string name_;
  bool is_ours_;
};

// A pod of a Job, and how far it is.
struct CheckPod {
  std::string name, node;
  bool is_over = false;
  std::string waiting_for;  // why it does not run yet
};

std::vector<CheckPod> read_pods(std::string_view list_json) {
  std::vector<CheckPod> pods;
  const auto page = parse(list_json);
  for (const json::value& item : items(page ? at(*page, "items") : nullptr)) {
    CheckPod& pod = pods.emplace_back();
    pod.name = text(at(item, "metadata", "name"));
    pod.node = text(at(item, "spec", "nodeName"));
    const std::string phase = text(at(item, "status", "phase"));
    pod.is_over = phase == "Succeeded" || phase == "Failed";
    pod.waiting_for = phase;
    for (const json::value& status : items(at(item, "status", "containerStatuses"))) {
      const std::string reason = text(at(status, "state", "waiting", "reason"));
      if (!reason.empty()) pod.waiting_for = reason + ": " + text(at(status, "state", "waiting", "message"));
    }
    const std::string why = text(at(item, "status", "message"));
    if (!why.empty()) pod.waiting_for = why;
  }
  return pods;
}

// Those of pods that will not start by waiting longer.
bool is_hopeless(const CheckPod& pod) {
  for (const char* const reason : {"ErrImageNeverPull", "ImagePullBackOff", "ErrImagePull", "InvalidImageName",
                                   "CreateContainerConfigError", "CreateContainerError"}) {
    if (pod.waiting_for.starts_with(reason)) return true;
  }
  return false;
}

// The pods as they are when all are over, none gets further, or patience ends; by node.
std::map<std::string, CheckPod> wait_for_pods(const Connection& connection, const Place& place, std::size_t wanted,
                                              std::chrono::nanoseconds patience) {
  const base::TimePoint deadline = base::now() + patience;
  std::map<std::string, CheckPod> by_node;
  for (;;) {
    const auto list = connection.get(place.pods() + "?labelSelector=app.kubernetes.io%2Fname%3D" + kLabel);
    by_node.clear();
    for (CheckPod& pod : list ? read_pods(*list) : std::vector<CheckPod>()) by_node.insert_or_assign(pod.node, pod);
    const bool is_settled =
        by_node.size() == wanted && std::all_of(by_node.begin(), by_node.end(), [](const auto& each) {
          return each.second.is_over || is_hopeless(each.second);
        });
    if (is_settled || base::now() > deadline || interruption() != 0) return by_node;
    std::this_thread::sleep_for(kPollInterval);
  }
}

Finding not_looked_at(const NodeInfo& node, const std::string& why) {
  return {Verdict::missing, "node " + node.name, "not looked at: " + why,
          "name an image that the node can get (--image), or leave this part out (--skip-nodes)"};
}

}  // namespace

std::vector<NodeInfo> read_nodes(std::string_view list_json) {
  std::vector<NodeInfo> nodes;
  const auto page = parse(list_json);
  for (const json::value& item : items(page ? at(*page, "items") : nullptr)) {
    nodes.push_back({text(at(item, "metadata", "name")), text(at(item, "status", "nodeInfo", "kernelVersion")),
                     text(at(item, "status", "nodeInfo", "operatingSystem"))});
  }
  return nodes;
}

json::value check_job(const std::string& node, const NodeCheckOptions& options) {
  const auto host_path = [](const char* name, const char* path) {
    return json::object{{"name", name}, {"hostPath", {{"path", path}}}};
  };
  const auto mount = [](const char* name, const char* path, bool is_read_only) {
    return json::object{{"name", name}, {"mountPath", path}, {"readOnly", is_read_only}};
  };
  const json::object container{
      {"name", "check"},
      {"image", options.image},
      {"command",
       {"/usr/bin/fairlead", "check", "--output=json", "--in-pod", "--cgroup2=/host/cgroup", "--host-root=/host/root"}},
      {"securityContext",
       {{"runAsUser", 0},
        {"readOnlyRootFilesystem", true},
        {"capabilities",
         {{"drop", {"ALL"}}, {"add", {"BPF", "PERFMON", "NET_ADMIN", "SYS_ADMIN", "DAC_OVERRIDE", "SYS_PTRACE"}}}},
        {"appArmorProfile", {{"type", "Unconfined"}}},
        {"seLinuxOptions", {{"type", "spc_t"}}}}},
      {"volumeMounts",
       {mount("cgroup", "/host/cgroup", false), mount("bpf", "/sys/fs/bpf", false),
        mount("root", "/host/root", true)}}};
  const json::object pod{
      {"nodeName", node},  // also on nodes that nobody may be scheduled to
      {"restartPolicy", "Never"},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"tolerations", {{{"operator", "Exists"}}}},
      {"securityContext", {{"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"containers", json::array{container}},
      {"volumes", {host_path("cgroup", "/sys/fs/cgroup"), host_path("bpf", "/sys/fs/bpf"), host_path("root", "/")}}};
  const json::object labels{{"app.kubernetes.io/name", kLabel}, {"fairlead.dev/mode", "disabled"}};
  return json::object{
      {"apiVersion", "batch/v1"},
      {"kind", "Job"},
      {"metadata", {{"generateName", "fairlead-check-"}, {"labels", labels}, {"annotations", {{kNodeLabel, node}}}}},
      {"spec",
       {{"backoffLimit", 0},
        {"ttlSecondsAfterFinished", 300},  // should we be killed before we remove it
        {"activeDeadlineSeconds", std::chrono::ceil<std::chrono::seconds>(options.patience).count()},
        {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod}}}}}};
}

std::vector<Finding> judge_node(const NodeInfo& node, std::string_view log) {
  auto findings = check::parse_findings(log);
  if (!findings) return {not_looked_at(node, "its check says \"" + std::string(log.substr(0, 200)) + "\"")};
  std::vector<Finding> noteworthy;
  for (Finding& finding : *findings) {
    if (finding.verdict == Verdict::good) continue;
    finding.subject = "node " + node.name + ": " + finding.subject;
    noteworthy.push_back(std::move(finding));
  }
  if (!check::has_missing(noteworthy)) {
    const Finding good{Verdict::good, "node " + node.name,
                       "kernel " + node.kernel + ", all of " + std::to_string(findings->size()) + " checks", ""};
    noteworthy.insert(noteworthy.begin(), good);
  }
  return noteworthy;
}

std::vector<Finding> check_nodes(const Connection& connection, const NodeCheckOptions& options) {
  const auto list = connection.get("/api/v1/nodes");
  if (!list)
    return {{Verdict::missing, "nodes", "not looked at: " + list.error().message, "check them as cluster-admin"}};
  auto nodes = read_nodes(*list);
  std::erase_if(nodes, [](const NodeInfo& node) { return node.os != "linux"; });  // no agent runs there

  watch_interrupts();  // what is made is removed again
  const auto place = Place::make(connection, options.name_space);
  if (!place) return {{Verdict::missing, "nodes", "not looked at: " + place.error().message, ""}};
  std::vector<ApiRequest> requests;
  for (const NodeInfo& node : nodes) {
    requests.push_back({.method = ApiRequest::Method::post,
                        .target = place->jobs(),
                        .body = json::serialize(check_job(node.name, options))});
  }
  const auto made = connection.ask_all(std::move(requests));
  const auto pods = wait_for_pods(connection, *place,
                                  static_cast<std::size_t>(std::count_if(
                                      made.begin(), made.end(), [](const auto& job) { return job.has_value(); })),
                                  options.patience);
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto pod = pods.find(nodes[i].name);
    if (!made[i]) {
      findings.push_back(not_looked_at(nodes[i], made[i].error().message));
    } else if (pod == pods.end()) {
      findings.push_back(
          not_looked_at(nodes[i], "no pod was made; the namespace " + place->name() + " must admit privileged pods"));
    } else if (!pod->second.is_over) {
      findings.push_back(not_looked_at(nodes[i], pod->second.waiting_for));
    } else {
      const auto log =
          connection.ask({.target = place->pods() + "/" + url_encoded(pod->second.name) + "/log", .accept = "*/*"});
      for (Finding& finding :
           log ? judge_node(nodes[i], *log) : std::vector{not_looked_at(nodes[i], log.error().message)}) {
        findings.push_back(std::move(finding));
      }
    }
  }
  return findings;
}

}  // namespace cli::cluster
