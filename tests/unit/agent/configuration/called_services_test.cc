#include "agent/configuration/called_services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kWeb = "web.shop.svc.cluster.local";
const base::IpAddress kAddress = *base::IpAddress::parse("10.96.0.7");
const base::TimePoint t0 = base::TimePoint() + 1h;

class CalledServicesTest : public ::testing::Test {
 protected:
  CalledServicesTest() {
    cluster_.hosts.emplace(kAddress, kWeb);
    config::KubernetesService service;
    service.metadata.name = "web";
    service.metadata.name_space = "shop";
    service.cluster_ips = {kAddress};
    service.ports.push_back({.number = 80, .name = "http", .protocol = config::Protocol::http});
    documents_.services.push_back(service);
  }
  config::CompileResult compile() {
    return called_.compile(documents_, cluster_, [this](CalledServices::Hosts hosts) { wanted_ = std::move(hosts); });
  }

  CalledServices called_;
  kube::ClusterView cluster_;
  config::Documents documents_;
  CalledServices::Hosts wanted_;
};

TEST_F(CalledServicesTest, AnAddressOfNoServiceIsAnsweredAtOnce) {
  EXPECT_FALSE(called_.find(*base::IpAddress::parse("192.0.2.1"), cluster_, t0));
  compile();
  EXPECT_THAT(wanted_, IsEmpty());
}

TEST_F(CalledServicesTest, AServiceIsEnforcedOnceItsEndpointsAreKnown) {
  EXPECT_THAT(compile().config.services, IsEmpty()) << "nobody has called it";
  EXPECT_TRUE(called_.find(kAddress, cluster_, t0));
  EXPECT_THAT(compile().config.services, IsEmpty()) << "it would answer 503";
  EXPECT_THAT(wanted_, ElementsAre(kWeb));
  EXPECT_THAT(called_.take_answers(), IsEmpty());

  cluster_.hosts_with_endpoints.insert(kWeb);
  EXPECT_THAT(compile().config.services, SizeIs(1));
  EXPECT_THAT(called_.take_answers(), ElementsAre(kAddress));
  EXPECT_THAT(called_.take_answers(), IsEmpty()) << "once";
}

TEST_F(CalledServicesTest, AProxyKeepsItsServicesUntilTheirEndpointsAreKnownButNotForLong) {
  called_.adopt({kWeb}, t0);
  compile();
  EXPECT_THAT(wanted_, ElementsAre(kWeb));
  EXPECT_TRUE(called_.is_adopting(t0));
  EXPECT_FALSE(called_.is_adopting(called_.adopts_until()));
  cluster_.hosts_with_endpoints.insert(kWeb);
  EXPECT_THAT(compile().config.services, SizeIs(1));
  EXPECT_FALSE(called_.is_adopting(t0));
}

TEST_F(CalledServicesTest, AServiceThatIsIdleForFifteenMinutesIsGivenUpAndTheNextCallBringsItBack) {
  called_.find(kAddress, cluster_, t0);
  cluster_.hosts_with_endpoints.insert(kWeb);
  compile();
  called_.take_answers();
  EXPECT_FALSE(called_.forget_idle(t0 + 15min - 1ms, {}));
  EXPECT_TRUE(called_.forget_idle(t0 + 15min, {}));
  EXPECT_THAT(compile().config.services, IsEmpty());
  EXPECT_THAT(wanted_, IsEmpty());

  EXPECT_TRUE(called_.find(kAddress, cluster_, t0 + 16min));
  EXPECT_THAT(compile().config.services, SizeIs(1));
  EXPECT_THAT(called_.take_answers(), ElementsAre(kAddress));
  EXPECT_FALSE(called_.forget_idle(t0 + 30min, {}));
}

TEST_F(CalledServicesTest, AServiceInUseIsNotGivenUpHoweverLongAgoItWasFirstCalled) {
  called_.find(kAddress, cluster_, t0);
  cluster_.hosts_with_endpoints.insert(kWeb);
  compile();
  called_.take_answers();
  const std::vector<std::string> in_use = {"elsewhere.shop.svc.cluster.local", kWeb};
  EXPECT_FALSE(called_.forget_idle(t0 + 24h, in_use));
  EXPECT_THAT(compile().config.services, SizeIs(1));
  EXPECT_FALSE(called_.forget_idle(t0 + 24h + 14min, {}));
  EXPECT_TRUE(called_.forget_idle(t0 + 24h + 15min, {}));
}

TEST_F(CalledServicesTest, AServiceThatIsWaitedForIsNotGivenUp) {
  called_.find(kAddress, cluster_, t0);
  compile();
  EXPECT_FALSE(called_.forget_idle(t0 + 24h, {})) << "the proxy does not ask again before it is answered";
}

TEST_F(CalledServicesTest, AServiceWhoseEndpointsAreReadAnewPassesMeanwhile) {
  called_.find(kAddress, cluster_, t0);
  cluster_.hosts_with_endpoints.insert(kWeb);
  EXPECT_THAT(compile().config.services, SizeIs(1));
  cluster_.hosts_with_endpoints.clear();
  EXPECT_THAT(compile().config.services, IsEmpty()) << "it would answer 503";
  EXPECT_THAT(wanted_, ElementsAre(kWeb));
}

}  // namespace
}  // namespace agent
