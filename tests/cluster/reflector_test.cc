#include "agent/kube/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "tests/cluster/control_plane.h"

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Health = ReflectorHealth;

// The objects that there are, by name.
class Copy : public ObjectSink {
 public:
  void replacing() override { seen_.clear(); }
  void replaced() override {
    std::erase_if(objects, [this](const auto& each) { return !seen_.contains(each.first); });
  }
  void upsert(const boost::json::object& object) override {
    seen_.insert(name(object));
    objects[name(object)] = object;
  }
  void erase(const boost::json::object& object) override { objects.erase(name(object)); }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, object] : objects) names.push_back(name);
    return names;
  }
  std::map<std::string, boost::json::object> objects;

 private:
  static std::string name(const boost::json::object& object) {
    return object.at("metadata").at("name").as_string().c_str();
  }
  std::set<std::string> seen_;
};

std::string named(const std::string& name) { return R"({"metadata":{"name":")" + name + R"("}})"; }

class ReflectorOfApiServer : public ::testing::Test {
 protected:
  Resource config_maps() const { return {.version = "v1", .plural = "configmaps", .name_space = home_.name()}; }
  void create(const std::string& plural, const std::string& json) {
    control_plane_.create(home_.path("/" + plural), json);
  }
  void start(Resource resource) { start(std::move(resource), control_plane_.credentials()); }
  void start(Resource resource, std::shared_ptr<Credentials> credentials) {
    reflector_.emplace(control_plane_.context, std::move(credentials), std::move(resource), copy_);
    reflector_->start();
  }
  bool run_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 10s) {
    return control_plane_.run_until(condition, limit);
  }
  bool run_until_following() {
    return run_until(
        [&] { return reflector_->status().health == Health::following && reflector_->status().watches > 0; }, 40s);
  }
  bool run_until_names(const std::vector<std::string>& names) {
    return run_until([&] { return copy_.names() == names; });
  }

  bool is_unauthorized(ApiClient& client) {
    const auto answer = control_plane_.run(client.perform({.target = home_.path("/configmaps")}));
    return !answer && answer.error().status == 401;
  }

  ControlPlane control_plane_;
  TestNamespace home_{control_plane_};
  Copy copy_;
  std::optional<Reflector> reflector_;
};

TEST_F(ReflectorOfApiServer, FollowsWhatIsMadeChangedAndDeleted) {
  create("services", R"({"metadata":{"name":"web"},"spec":{"ports":[{"port":80}]}})");
  start({.version = "v1", .plural = "services", .name_space = home_.name()});
  ASSERT_TRUE(run_until_names({"web"}));
  ASSERT_TRUE(run_until_following());
  create("services", R"({"metadata":{"name":"api"},"spec":{"ports":[{"port":81}]}})");
  EXPECT_TRUE(run_until_names({"api", "web"}));
  control_plane_.patch(home_.path("/services/web"), R"({"spec":{"ports":[{"port":8080}]}})");
  EXPECT_TRUE(run_until([&] { return copy_.objects["web"].at("spec").at("ports").at(0).at("port") == 8080; }));
  control_plane_.remove(home_.path("/services/api"));
  EXPECT_TRUE(run_until_names({"web"}));
}

TEST_F(ReflectorOfApiServer, ListsInPages) {
  constexpr int kCount = 1100;
  for (int i = 0; i < kCount; ++i) create("configmaps", R"({"metadata":{"generateName":"many-"}})");
  start(config_maps());
  ASSERT_TRUE(run_until_following());
  // The controllers make one more in every namespace: the cluster's certificates.
  EXPECT_GE(copy_.objects.size(), kCount);
  EXPECT_LE(copy_.objects.size(), kCount + 1);
}

TEST_F(ReflectorOfApiServer, TakesOnlyWhatTheSelectorsChoose) {
  for (const auto& [name, node] : {std::pair{"here", "node-1"}, {"there", "node-2"}}) {
    create("pods", R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"nodeName":")" + node +
                       R"(","terminationGracePeriodSeconds":0,"containers":[{"name":"c","image":"i"}]}})");
  }
  start({.version = "v1", .plural = "pods", .name_space = home_.name(), .field_selector = "spec.nodeName=node-1"});
  ASSERT_TRUE(run_until_following());
  EXPECT_THAT(copy_.names(), ElementsAre("here"));
}

TEST_F(ReflectorOfApiServer, TakesWhatLeavesTheSelectionForDeleted) {
  create("configmaps", R"({"metadata":{"name":"a","labels":{"team":"red"}}})");
  Resource reds = config_maps();
  reds.label_selector = "team in (red)";
  start(reds);
  ASSERT_TRUE(run_until_following());
  EXPECT_THAT(copy_.names(), ElementsAre("a"));
  control_plane_.patch(home_.path("/configmaps/a"), R"({"metadata":{"labels":{"team":"blue"}}})");
  EXPECT_TRUE(run_until_names({}));
}

TEST_F(ReflectorOfApiServer, MayTakeMetadataAlone) {
  create("configmaps", R"({"metadata":{"name":"a","labels":{"team":"red"}},"data":{"large":"text"}})");
  Resource labels = config_maps();
  labels.is_metadata_only = true;
  labels.label_selector = "team";
  start(labels);
  ASSERT_TRUE(run_until_following());
  create("configmaps", R"({"metadata":{"name":"b","labels":{"team":"red"}},"data":{"large":"text"}})");
  ASSERT_TRUE(run_until_names({"a", "b"}));
  for (const auto& [name, object] : copy_.objects) {
    EXPECT_EQ(object.at("metadata").at("labels").at("team").as_string(), "red");
    EXPECT_FALSE(object.contains("data")) << name;
  }
}

TEST_F(ReflectorOfApiServer, KeepsItsCopyWhileTheApiServerIsAwayAndCatchesUpAfterwards) {
  create("configmaps", named("before"));
  Resource ours = config_maps();
  ours.field_selector = "metadata.name!=kube-root-ca.crt";
  start(ours);
  ASSERT_TRUE(run_until_following());
  ControlPlane::script("service stop kube-apiserver");
  ASSERT_TRUE(run_until([&] { return reflector_->status().failures >= 3; }, 30s));
  EXPECT_EQ(reflector_->status().health, Health::retrying);
  EXPECT_THAT(copy_.names(), ElementsAre("before"));
  ControlPlane::script("service start kube-apiserver");
  // It may say 404 or 403 while it starts; what is known must not be lost by that.
  ASSERT_TRUE(run_until(
      [&] {
        EXPECT_THAT(copy_.names(), ElementsAre("before"));
        return reflector_->status().health == Health::following || copy_.names().size() != 1;
      },
      60s));
  ASSERT_TRUE(run_until([&] { return control_plane_.is_ready(); }, 60s));
  create("configmaps", named("after"));
  EXPECT_TRUE(run_until_names({"after", "before"}));
}

TEST_F(ReflectorOfApiServer, FindsAKindThatIsDefinedLaterAndLosesItWithItsDefinition) {
  start({.group = "test.fairlead.dev", .version = "v1", .plural = "gadgets"});
  ASSERT_TRUE(run_until([&] { return reflector_->status().health == Health::absent; }));
  EXPECT_TRUE(reflector_->status().is_synced);
  const std::string definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  control_plane_.create(definitions, R"({"metadata":{"name":"gadgets.test.fairlead.dev"},"spec":{
    "group":"test.fairlead.dev","scope":"Namespaced","names":{"plural":"gadgets","singular":"gadget","kind":"Gadget"},
    "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{
      "type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})");
  ASSERT_TRUE(run_until_following());
  control_plane_.create("/apis/test.fairlead.dev/v1/namespaces/" + home_.name() + "/gadgets",
                        R"({"apiVersion":"test.fairlead.dev/v1","kind":"Gadget","metadata":{"name":"a"}})");
  EXPECT_TRUE(run_until_names({"a"}));
  control_plane_.remove(definitions + "/gadgets.test.fairlead.dev");
  EXPECT_TRUE(run_until_names({}));
  EXPECT_TRUE(run_until([&] { return reflector_->status().health == Health::absent; }, 30s));
}

// An agent's service account as the kubelet would put it into the pod.
class ServiceAccount {
 public:
  ServiceAccount(ControlPlane& control_plane, const TestNamespace& home) : control_plane_(control_plane), home_(home) {
    std::string path = (std::filesystem::temp_directory_path() / "fairlead-account-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
    std::ofstream(folder_ + "/ca.crt") << control_plane.config().authority.text;
    make();
  }
  ~ServiceAccount() { std::filesystem::remove_all(folder_); }
  ServiceAccount(const ServiceAccount&) = delete;
  ServiceAccount& operator=(const ServiceAccount&) = delete;

  void make() {
    control_plane_.create(home_.path("/serviceaccounts"), named("agent"));
    const auto made = boost::json::parse(control_plane_.create(home_.path("/serviceaccounts/agent/token"), "{}"));
    std::ofstream(folder_ + "/token") << made.at("status").at("token").as_string().c_str();
  }
  void remove() { control_plane_.remove(home_.path("/serviceaccounts/agent")); }
  void may_read_config_maps() {
    const std::string path = "/apis/rbac.authorization.k8s.io/v1/namespaces/" + home_.name();
    control_plane_.create(path + "/roles", R"({"metadata":{"name":"agent"},"rules":[
      {"apiGroups":[""],"resources":["configmaps"],"verbs":["list","watch"]}]})");
    control_plane_.create(path + "/rolebindings",
                          R"({"metadata":{"name":"agent"},"subjects":[{"kind":"ServiceAccount","name":"agent"}],
      "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"agent"}})");
  }
  [[nodiscard]] std::shared_ptr<Credentials> credentials() const {
    auto config =
        in_cluster_config(control_plane_.config().host, std::to_string(control_plane_.config().port), folder_);
    if (!config) throw std::runtime_error(config.error().message);
    return std::make_shared<Credentials>(*config);
  }

 private:
  ControlPlane& control_plane_;
  const TestNamespace& home_;
  std::string folder_;
};

TEST_F(ReflectorOfApiServer, SaysWhatTheServiceAccountMayNotAndGoesOnOnceItMay) {
  ServiceAccount account(control_plane_, home_);
  start(config_maps(), account.credentials());
  ASSERT_TRUE(run_until([&] { return reflector_->status().health == Health::forbidden; }));
  EXPECT_THAT(reflector_->status().error, HasSubstr("cannot list resource \"configmaps\""));
  EXPECT_THAT(reflector_->status().error, HasSubstr("needs the verbs list and watch for configmaps"));
  account.may_read_config_maps();
  EXPECT_TRUE(run_until_following());
}

TEST_F(ReflectorOfApiServer, GoesOnWithANewTokenWhenTheOldOneIsNoLongerValid) {
  ServiceAccount account(control_plane_, home_);
  account.may_read_config_maps();
  account.remove();
  ApiClient client(control_plane_.context, account.credentials());
  // The API server believes for ten seconds what it has checked.
  ASSERT_TRUE(run_until([&] { return is_unauthorized(client); }, 30s));
  start(config_maps(), account.credentials());
  ASSERT_TRUE(run_until([&] { return reflector_->status().failures > 0; }));
  EXPECT_THAT(reflector_->status().error, HasSubstr("HTTP 401"));
  account.make();
  EXPECT_TRUE(run_until_following());
}

}  // namespace
}  // namespace agent::kube
