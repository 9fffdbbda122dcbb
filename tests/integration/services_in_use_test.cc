// Which services the proxy says are in use: those that the agent goes on following.
#include <poll.h>

#include "tests/integration/proxy_fixture.h"

namespace tests {
namespace {

using support::HttpClient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kService = "greeter-service.default.svc.cluster.local";

class ServicesInUseTest : public ProxyTest {
 protected:
  template <typename Wanted>
  Wanted next_demand() {
    for (;;) {
      pollfd readable{.fd = server().demands().fd(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 10'000) <= 0) {
        ADD_FAILURE() << "nothing is demanded";
        return {};
      }
      for (const proxy::Demand& demand : server().demands().take()) {
        if (const auto* wanted = std::get_if<Wanted>(&demand)) return *wanted;
      }
    }
  }
  std::vector<std::string> in_use() {
    server().ask_for_sign_of_life(1, true);
    return next_demand<proxy::SignOfLife>().used.value();
  }
};

TEST_F(ServicesInUseTest, AConnectionIsUseAsLongAsItIsOpenAndOnceMore) {
  add_upstream();
  start("", 2);
  EXPECT_THAT(in_use(), IsEmpty());
  HttpClient idle = client();
  EXPECT_EQ(idle.get("/", kHost).status(), 200);
  EXPECT_THAT(in_use(), ElementsAre(kService));
  EXPECT_THAT(in_use(), ElementsAre(kService)) << "it is open";
  idle.close();
  ASSERT_TRUE(becomes_true([&] { return counters().connections[0].load() == 0; }));
  EXPECT_THAT(in_use(), ElementsAre(kService)) << "it was open since the last time";
  EXPECT_THAT(in_use(), IsEmpty());
}

TEST_F(ServicesInUseTest, OnlyWhoWantsToKnowIsTold) {
  add_upstream();
  start();
  server().ask_for_sign_of_life(7);
  EXPECT_EQ(next_demand<proxy::SignOfLife>().used, std::nullopt);
}

// It goes because nobody used it; somebody calls it in that moment.
TEST_F(ServicesInUseTest, AnOpenConnectionAsksAgainForAServiceThatIsGivenUp) {
  add_upstream();
  start();
  HttpClient connected = client();
  EXPECT_EQ(connected.get("/", kHost).status(), 200);
  auto without = std::make_shared<config::NodeConfig>();
  without->generation = 99;
  without->has_services_on_demand = true;
  ASSERT_TRUE(server().apply(without));
  EXPECT_EQ(next_demand<proxy::ServiceDemand>().address, *base::IpAddress::parse("127.77.0.9"));
}

}  // namespace
}  // namespace tests
