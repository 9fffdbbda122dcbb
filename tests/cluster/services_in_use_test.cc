// A service on its first call, while it is used, and given up: what the API server sees of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <mutex>
#include <sstream>

#include "agent/configuration/configuration.h"
#include "tests/cluster/control_plane.h"

namespace agent {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::chrono::seconds kLimit{40};
const base::TimePoint t0 = base::TimePoint() + 1h;

class ServicesInUse : public ::testing::Test {
 protected:
  ServicesInUse()
      : configuration_(options_, identities_, [this](auto hosts) { cluster_.set_called(std::move(hosts)); }),
        cluster_({.api_server = control_plane_.config(), .node = "one"},
                 [this](std::shared_ptr<const kube::ClusterView> view) {
                   const std::lock_guard lock(mutex_);
                   published_ = std::move(view);
                 }) {}

  // Takes in what the API server has said; the condition is then looked at.
  bool run_until(const std::function<bool()>& condition) {
    return control_plane_.run_until(
        [&] {
          std::shared_ptr<const kube::ClusterView> view;
          {
            const std::lock_guard lock(mutex_);
            view = std::exchange(published_, nullptr);
          }
          if (view && view->is_synced() && configuration_.set_cluster(view)) configuration_.compile();
          return configuration_.cluster() != nullptr && condition();
        },
        kLimit);
  }
  // Made as somebody would; its address.
  base::IpAddress make_service() {
    const std::string made = control_plane_.create(
        home_.path("/services"),
        R"({"metadata":{"name":"web"},"spec":{"selector":{"app":"web"},"ports":[{"name":"http","port":80}]}})");
    control_plane_.create("/apis/discovery.k8s.io/v1/namespaces/" + home_.name() + "/endpointslices",
                          R"({"metadata":{"name":"web-1","labels":{"kubernetes.io/service-name":"web"}},
                              "addressType":"IPv4","ports":[{"name":"http","port":8080}],
                              "endpoints":[{"addresses":["10.9.0.1"]}]})");
    const json::value service = json::parse(made);
    return *base::IpAddress::parse(std::string_view(service.at("spec").at("clusterIP").as_string()));
  }
  // Watches of the endpoints of one namespace: nobody else in a cluster asks so narrowly.
  int watches() {
    std::istringstream page(control_plane_.ask({.target = "/metrics"}));
    int count = 0;
    for (std::string line; std::getline(page, line);) {
      const auto has = [&](const char* text) { return line.find(text) != line.npos; };
      if (!line.starts_with("apiserver_longrunning_requests{") || !has("resource=\"endpointslices\"") ||
          !has("scope=\"namespace\"")) {
        continue;
      }
      count += std::stoi(line.substr(line.rfind(' ')));
    }
    return count;
  }
  [[nodiscard]] const std::vector<config::Service>& enforced() const { return configuration_.config()->services; }

  kube::ControlPlane control_plane_;
  kube::TestNamespace home_{control_plane_};
  Options options_;
  telemetry::IdentityTable identities_;
  Configuration configuration_;
  std::mutex mutex_;
  std::shared_ptr<const kube::ClusterView> published_;
  kube::Cluster cluster_;  // its thread ends first
};

TEST_F(ServicesInUse, TheWatchOfOneThatIsIdleEndsAndTheNextCallBringsItBack) {
  const int before = watches();
  const base::IpAddress address = make_service();
  ASSERT_TRUE(run_until([&] { return configuration_.cluster()->hosts.contains(address); }));
  EXPECT_THAT(enforced(), IsEmpty()) << "nobody has called it";
  EXPECT_EQ(watches(), before);

  const auto call = [&](base::TimePoint when) {
    ASSERT_TRUE(configuration_.called_services().find(address, *configuration_.cluster(), when));
    configuration_.compile();
    ASSERT_TRUE(run_until([&] { return enforced().size() == 1; }));
    EXPECT_THAT(enforced()[0].vips, Contains(address));
    ASSERT_TRUE(run_until([&] { return watches() == before + 1; }));
    EXPECT_THAT(configuration_.called_services().take_answers(), Contains(address));
  };
  call(t0);

  CalledServices& called = configuration_.called_services();
  EXPECT_FALSE(called.forget_idle(t0 + 10min, std::vector{enforced()[0].host})) << "it is used";
  EXPECT_FALSE(called.forget_idle(t0 + 25min - 1ms, {}));
  EXPECT_EQ(watches(), before + 1);
  ASSERT_TRUE(called.forget_idle(t0 + 25min, {}));
  configuration_.compile();
  EXPECT_THAT(enforced(), IsEmpty());
  EXPECT_THAT(configuration_.destinations(), Contains(base::SocketAddress{address, 80})) << "else nobody would ask";
  ASSERT_TRUE(run_until([&] { return watches() == before; }));
  ASSERT_TRUE(run_until([&] { return configuration_.cluster()->documents.endpoint_slices.empty(); }));

  call(t0 + 26min);
  EXPECT_THAT(configuration_.cluster()->documents.endpoint_slices, Not(IsEmpty()));
}

}  // namespace
}  // namespace agent
