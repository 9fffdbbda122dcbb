#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <memory>
#include <mutex>

#include "agent/instances/not_captured.h"
#include "agent/kube/cluster.h"
#include "tests/cluster/control_plane.h"

// What people see of their policies with kubectl.
namespace agent::kube {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::chrono::seconds kLimit{40};

// One agent's side of the API server: what it knows, and that it says it.
class Agent {
 public:
  Agent(const ControlPlane& control_plane, const TestNamespace& home, const std::string& identity)
      : cluster_(settings(control_plane, home, identity), [this](std::shared_ptr<const ClusterView> view) {
          const std::lock_guard lock(mutex_);
          view_ = std::move(view);
        }) {}
  [[nodiscard]] std::shared_ptr<const ClusterView> view() const {
    const std::lock_guard lock(mutex_);
    return view_;
  }
  [[nodiscard]] bool is_synced() const { return view() && view()->is_synced(); }
  void announce(Event event) { cluster_.announce(std::move(event)); }

 private:
  static Cluster::Settings settings(const ControlPlane& control_plane, const TestNamespace& home,
                                    const std::string& identity) {
    Cluster::Settings settings{.api_server = control_plane.config(), .node = identity, .identity = identity};
    settings.api_server.name_space = home.name();
    settings.election = {.duration = 3s, .renewal = 500ms, .patience = 300ms};
    return settings;
  }
  mutable std::mutex mutex_;
  std::shared_ptr<const ClusterView> view_;
  Cluster cluster_;  // its thread ends first
};

class PolicyStatus : public ::testing::Test {
 protected:
  PolicyStatus() {
    const std::string kind =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualservices.networking.istio.io";
    if (!control_plane_.answers(kind)) ControlPlane::script("crds istio");
  }

  static std::string virtual_service(const std::string& name, const std::string& match) {
    return R"({apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: )" + name +
           "}, spec: {hosts: [web], http: [{match: [" + match + R"(], route: [{destination: {host: web}}]}]}})";
  }
  static constexpr const char* kGood = "{uri: {prefix: /}}";
  static constexpr const char* kBad = R"({uri: {regex: "["}})";  // a pattern that only RE2 knows to be wrong
  // As somebody would.
  void apply(const std::string& yaml) {
    ControlPlane::script("kubectl apply -n " + home_.name() + " -f - <<'END'\n" + yaml + "\nEND");
  }
  std::string path(const std::string& name) {
    return "/apis/networking.istio.io/v1/namespaces/" + home_.name() + "/virtualservices/" + name;
  }
  json::object read(const std::string& target) {
    return json::parse(control_plane_.ask({.target = target})).as_object();
  }
  std::optional<json::object> condition(const std::string& name) {
    const json::object object = read(path(name));
    if (!object.contains("status")) return std::nullopt;
    for (const json::value& each : object.at("status").at("conditions").as_array()) {
      if (each.at("type").as_string() == "fairlead.dev/Accepted" &&
          each.at("observedGeneration") == object.at("metadata").at("generation")) {
        return each.as_object();
      }
    }
    return std::nullopt;
  }
  bool run_until_reason(const std::string& name, const std::string& reason) {
    return control_plane_.run_until(
        [&] {
          const auto found = condition(name);
          return found && found->at("reason").as_string() == reason;
        },
        kLimit);
  }
  json::object lease() {
    return read("/apis/coordination.k8s.io/v1/namespaces/" + home_.name() + "/leases/fairlead-status")
        .at("spec")
        .as_object();
  }
  std::string holder() { return lease().at("holderIdentity").as_string().c_str(); }
  void run_until_renewed(int times) {
    for (json::value seen = lease().at("renewTime"); times > 0; --times) {
      ASSERT_TRUE(control_plane_.run_until([&] { return lease().at("renewTime") != seen; }, kLimit));
      seen = lease().at("renewTime");
    }
  }
  std::vector<json::object> events(const std::string& name) {
    std::vector<json::object> found;
    const json::object list = read("/apis/events.k8s.io/v1/namespaces/" + home_.name() + "/events");
    for (const json::value& item : list.at("items").as_array()) {
      if (item.at("regarding").at("name").as_string() == name) found.push_back(item.as_object());
    }
    return found;
  }
  bool run_until_events(const std::string& name, std::size_t count) {
    return control_plane_.run_until([&] { return events(name).size() >= count; }, kLimit);
  }
  std::string version(const std::string& name) {
    return read(path(name)).at("metadata").at("resourceVersion").as_string().c_str();
  }

  ControlPlane control_plane_;
  TestNamespace home_{control_plane_};
};

TEST_F(PolicyStatus, IsWrittenByOneOfTwoAgentsAndThenLeftAlone) {
  apply(virtual_service("good", kGood));
  apply(virtual_service("bad", kBad));
  const Agent one(control_plane_, home_, "one"), other(control_plane_, home_, "other");
  ASSERT_TRUE(run_until_reason("good", "Accepted"));
  ASSERT_TRUE(run_until_reason("bad", "Rejected"));
  const auto bad = condition("bad");
  EXPECT_EQ(bad->at("status").as_string(), "False");
  EXPECT_THAT(bad->at("message").as_string().c_str(),
              HasSubstr("spec.http[0].match[0].uri.regex: \"[\" is not a regular expression of RE2"));
  const json::object status = read(path("bad")).at("status").as_object();
  EXPECT_EQ(status.at("observedGeneration"), 1);
  EXPECT_EQ(status.at("validationMessages"),
            json::parse(R"([{"level":"ERROR","type":{"code":"FL0100","name":"InvalidDocument"}}])"));

  ASSERT_TRUE(run_until_events("bad", 1));
  const std::string good = version("good"), refused = version("bad");
  const std::string leader = holder();
  run_until_renewed(4);  // longer than the other one waits before it looks
  EXPECT_EQ(version("good"), good);
  EXPECT_EQ(version("bad"), refused);
  EXPECT_EQ(holder(), leader);
  EXPECT_EQ(lease().at("leaseTransitions"), 0);
  EXPECT_THAT(events("bad"), SizeIs(1));
  EXPECT_THAT(events("good"), IsEmpty());
}

TEST_F(PolicyStatus, IsTakenOverFromAnAgentThatIsGone) {
  apply(virtual_service("web", kGood));
  std::map<std::string, std::unique_ptr<Agent>> agents;
  for (const char* name : {"one", "other"}) agents[name] = std::make_unique<Agent>(control_plane_, home_, name);
  ASSERT_TRUE(run_until_reason("web", "Accepted"));
  const std::string leader = holder();
  agents.erase(leader);
  apply(virtual_service("web", kBad));
  ASSERT_TRUE(run_until_reason("web", "Rejected"));
  EXPECT_NE(holder(), leader);
  EXPECT_EQ(lease().at("leaseTransitions"), 1);
}

TEST_F(PolicyStatus, SaysOfABadPolicyWhatKubectlShowsAndTheLastGoodOneStays) {
  apply(virtual_service("web", kGood));
  const Agent agent(control_plane_, home_, "one");
  ASSERT_TRUE(run_until_reason("web", "Accepted"));
  apply(virtual_service("web", kBad));
  ASSERT_TRUE(run_until_reason("web", "Rejected"));
  ASSERT_TRUE(run_until_events("web", 1));
  const std::string described = ControlPlane::script("kubectl describe virtualservice web -n " + home_.name());
  EXPECT_THAT(described, HasSubstr("fairlead.dev/Accepted"));
  EXPECT_THAT(described, HasSubstr("PolicyRejected"));
  EXPECT_THAT(described, HasSubstr("is not a regular expression of RE2"));
  const auto view = agent.view();
  // Those of other namespaces may be there as well: they go some time after their test.
  const auto policy = std::ranges::find(view->documents.virtual_services, home_.name(),
                                        [](const auto& each) { return each.metadata.name_space; });
  ASSERT_NE(policy, view->documents.virtual_services.end());
  EXPECT_EQ(policy->http[0].matches.size(), 1U);
  const auto status =
      std::ranges::find(view->statuses, home_.name(), [](const auto& each) { return each.id.name_space; });
  ASSERT_NE(status, view->statuses.end());
  EXPECT_TRUE(status->is_in_force);
  EXPECT_EQ(status->state, config::DocumentState::rejected);
  apply(virtual_service("web", kGood));
  EXPECT_TRUE(run_until_reason("web", "Accepted"));
  EXPECT_FALSE(read(path("web")).at("status").as_object().contains("validationMessages"));
}

TEST_F(PolicyStatus, OfWhatTheApiServerItselfRefusesThereIsNone) {
  EXPECT_THROW(apply("{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, spec: {hosts: "
                     "[web], http: [{timeout: \"5\", route: [{destination: {host: web}}]}]}}"),
               std::runtime_error);
}

TEST_F(PolicyStatus, SaysWhatIsEnforcedInPartOnly) {
  apply(
      "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web}, spec: {host: web, "
      "trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}}");
  const Agent agent(control_plane_, home_, "one");
  ASSERT_TRUE(run_until_events("web", 1));
  const json::object event = events("web")[0];
  EXPECT_EQ(event.at("reason").as_string(), "PolicyPartlyEnforced");
  EXPECT_EQ(event.at("regarding").at("kind").as_string(), "DestinationRule");
  EXPECT_THAT(event.at("note").as_string().c_str(), HasSubstr("PASSTHROUGH is not enforced"));
}

TEST_F(PolicyStatus, KeepsTheConditionsOfOthers) {
  apply(virtual_service("web", kBad));
  control_plane_.patch(path("web") + "/status", R"({"status":{"conditions":[
    {"type":"Reconciled","status":"True","lastProbeTime":"2026-01-01T00:00:00Z"}],
    "validationMessages":[{"type":{"code":"IST0101","name":"ReferencedResourceNotFound"},"level":"ERROR"}]}})");
  const Agent agent(control_plane_, home_, "one");
  ASSERT_TRUE(run_until_reason("web", "Rejected"));
  const json::object status = read(path("web")).at("status").as_object();
  EXPECT_EQ(status.at("conditions").at(0).at("type").as_string(), "Reconciled");
  EXPECT_THAT(status.at("validationMessages").as_array(), SizeIs(2));
}

TEST_F(PolicyStatus, IsNotFoughtOver) {
  apply(virtual_service("web", kGood));
  const Agent agent(control_plane_, home_, "one");
  ASSERT_TRUE(run_until_reason("web", "Accepted"));
  // Somebody who thinks that the status is his alone.
  int undone = 0;
  control_plane_.run_until(
      [&] {
        if (condition("web")) {
          control_plane_.patch(path("web") + "/status", R"({"status":{"conditions":[]}})");
          ++undone;
        }
        return false;
      },
      6s);
  EXPECT_GE(undone, 2);
  EXPECT_LE(undone, 4) << "answered after one second, two, four";
}

TEST_F(PolicyStatus, MayBeOfKindsThatAreDefinedLater) {
  ControlPlane::script("kubectl delete crd virtualservices.networking.istio.io --wait");
  const Agent agent(control_plane_, home_, "one");
  ASSERT_TRUE(control_plane_.run_until([&] { return agent.is_synced(); }, kLimit)) << "runs without them";
  EXPECT_THAT(agent.view()->documents.virtual_services, IsEmpty());
  ControlPlane::script("crds istio");
  apply(virtual_service("web", kGood));
  EXPECT_TRUE(run_until_reason("web", "Accepted"));
  EXPECT_THAT(agent.view()->documents.virtual_services, SizeIs(1));
}

TEST_F(PolicyStatus, IsWrittenWhereOnlyAnOlderVersionIsServed) {
  const std::string kind =
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualservices.networking.istio.io";
  const auto serve_v1 = [&](bool is_served) {
    const json::object definition = read(kind);
    json::array versions = definition.at("spec").at("versions").as_array();
    for (json::value& version : versions) {
      if (version.at("name").as_string() == "v1") version.as_object()["served"] = is_served;
    }
    control_plane_.patch(kind, json::serialize(json::object{{"spec", json::object{{"versions", versions}}}}));
    ASSERT_TRUE(control_plane_.run_until(
        [&] { return control_plane_.answers("/apis/networking.istio.io/v1/virtualservices") == is_served; }, kLimit));
  };
  apply(virtual_service("web", kBad));
  serve_v1(false);
  {
    const Agent agent(control_plane_, home_, "one");
    EXPECT_TRUE(run_until_events("web", 1));
    EXPECT_EQ(events("web")[0].at("regarding").at("apiVersion").as_string(), "networking.istio.io/v1beta1");
  }
  serve_v1(true);
  EXPECT_TRUE(run_until_reason("web", "Rejected"));
}

class PodsThatCannotBeCaptured : public PolicyStatus {};

// From a pod with a mistake, as the API server has it, to what kubectl shows of it.
TEST_F(PodsThatCannotBeCaptured, HaveAnEventThatSaysWhy) {
  control_plane_.patch(home_.path(""), R"({"metadata":{"labels":{"fairlead.dev/mode":"enabled"}}})");
  ASSERT_TRUE(
      control_plane_.run_until([&] { return control_plane_.answers(home_.path("/serviceaccounts/default")); }, kLimit));
  apply(
      "{apiVersion: v1, kind: Pod, metadata: {name: mistaken, annotations: {fairlead.dev/exclude-ports: http}}, "
      "spec: {nodeName: one, automountServiceAccountToken: false, containers: [{name: app, image: none}]}}");
  Agent agent(control_plane_, home_, "one");
  std::vector<Instance> instances;
  ASSERT_TRUE(control_plane_.run_until(
      [&] {
        if (agent.is_synced()) instances = find_pod_instances(agent.view()->pods, {});
        return !instances.empty();
      },
      kLimit));
  NotCaptured not_captured("one");
  not_captured.find(instances, base::TimePoint(), base::wall_now());
  for (Event& event : not_captured.find(instances, base::TimePoint() + NotCaptured::kPatience, base::wall_now())) {
    agent.announce(std::move(event));
  }
  ASSERT_TRUE(run_until_events("mistaken", 1));
  EXPECT_THAT(
      ControlPlane::script("kubectl describe pod mistaken -n " + home_.name()),
      AllOf(HasSubstr("Warning  NotCaptured"), HasSubstr("fairlead.dev/exclude-ports has \"http\"; write ports")));
}

}  // namespace
}  // namespace agent::kube
