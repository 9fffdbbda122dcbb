#include "agent/kube/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agent/kube/objects.h"
#include "base/clock.h"
#include "tests/cluster/control_plane.h"

namespace agent::kube {
namespace {

using ::testing::HasSubstr;

ApiRequest get(std::string target) { return {.target = std::move(target)}; }

TEST(ApiServer, AnswersTheAdministratorOfTheKubeconfig) {
  ControlPlane control_plane;
  const auto version = boost::json::parse(control_plane.ask(get("/version")));
  EXPECT_EQ(version.at("major").as_string(), "1");
}

TEST(ApiServer, TakesDocumentsAndChangesThem) {
  ControlPlane control_plane;
  const TestNamespace home(control_plane);
  control_plane.create(home.path("/configmaps"), R"({"metadata":{"name":"a"},"data":{"k":"1"}})");
  control_plane.patch(home.path("/configmaps/a"), R"({"data":{"k":"2"}})");
  const auto read = boost::json::parse(control_plane.ask(get(home.path("/configmaps/a"))));
  EXPECT_EQ(read.at("data").at("k").as_string(), "2");
}

TEST(ApiServer, SaysInWordsWhatItRefuses) {
  ControlPlane control_plane;
  ApiClient client(control_plane.context, control_plane.credentials());
  const auto missing = control_plane.run(client.perform(get("/api/v1/namespaces/nowhere")));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().status, 404U);
  EXPECT_EQ(missing.error().reason, "NotFound");
  EXPECT_EQ(missing.error().message, "HTTP 404: namespaces \"nowhere\" not found");
}

TEST(ApiServer, TakesWhoShowsNothingForAnonymous) {
  ControlPlane control_plane;
  ClientConfig config = control_plane.config();
  config.client_certificate = config.client_key = {};
  ApiClient client(control_plane.context, std::make_shared<Credentials>(config));
  const auto refused = control_plane.run(client.perform(get("/api/v1/pods")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 403U);
  EXPECT_THAT(refused.error().message, HasSubstr("User \"system:anonymous\" cannot list resource \"pods\""));
}

TEST(ApiServer, IsNotTrustedWithoutItsAuthority) {
  ControlPlane control_plane;
  ClientConfig config = control_plane.config();
  config.authority = {};  // the machine's
  ApiClient client(control_plane.context, std::make_shared<Credentials>(config));
  const auto refused = control_plane.run(client.perform(get("/version")));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("its certificate is not accepted"));
}

TEST(ApiServer, KnowsAnAgentByItsServiceAccount) {
  ControlPlane control_plane;
  const TestNamespace home(control_plane);
  control_plane.create(home.path("/serviceaccounts"), R"({"metadata":{"name":"agent"}})");
  const auto token = boost::json::parse(control_plane.create(home.path("/serviceaccounts/agent/token"), "{}"));
  ClientConfig config = control_plane.config();
  config.client_certificate = config.client_key = {};
  config.token = {.text = token.at("status").at("token").as_string().c_str()};
  ApiClient client(control_plane.context, std::make_shared<Credentials>(config));
  const auto refused = control_plane.run(client.perform(get("/api/v1/pods")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 403U);
  EXPECT_THAT(refused.error().message, HasSubstr("system:serviceaccount:" + home.name() + ":agent"));
}

TEST(ApiServer, TakesAnEventAboutAnObject) {
  ControlPlane control_plane;
  const TestNamespace home(control_plane);
  control_plane.create(home.path("/configmaps"), R"({"metadata":{"name":"a"}})");
  const Event event{.api_version = "v1",
                    .kind = "ConfigMap",
                    .name_space = home.name(),
                    .name = "a",
                    .is_warning = true,
                    .reason = "Rejected",
                    .action = "ReadPolicy",
                    .message = "as the test wants it",
                    .node = "node-1",
                    .time = base::wall_now()};
  control_plane.create(events_path(event), to_json(event));
  const std::string described = ControlPlane::script("kubectl -n " + home.name() + " events --for configmap/a");
  EXPECT_THAT(described, HasSubstr("as the test wants it"));
}

TEST(ApiServer, EndsAWatchAfterTheTimeItWasAskedFor) {
  ControlPlane control_plane;
  ApiClient client(control_plane.context, control_plane.credentials());
  std::size_t lines = 0;
  const auto ended =
      control_plane.run(client.watch(get("/api/v1/namespaces?watch=1&timeoutSeconds=1"), {.on_open = [] {},
                                                                                          .on_line =
                                                                                              [&](std::string_view) {
                                                                                                ++lines;
                                                                                                return true;
                                                                                              }}));
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_GE(lines, 1U) << "default exists";
  EXPECT_TRUE(control_plane.run(client.perform(get("/version"))));
  EXPECT_EQ(client.traffic().connections, 1U) << "the end of a watch is not the end of its connection";
}

}  // namespace
}  // namespace agent::kube
