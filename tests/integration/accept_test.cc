#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "tests/integration/proxy_fixture.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using support::HttpClient;
using support::Io;
using ::telemetry::ConnectionResult;
using ::telemetry::Direction;
using ::telemetry::RefusalScope;

// No thread of the process gets another descriptor while it lives, but for those given back with free_one().
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.emplace_back(fd);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void free_one() { taken_.pop_back(); }

 private:
  rlimit before_{};
  std::vector<base::UniqueFd> taken_;
};

class AcceptTest : public ProxyTest {
 protected:
  [[nodiscard]] std::uint64_t refused(RefusalScope scope) const {
    return counters().refusals[static_cast<std::size_t>(scope)].load();
  }
  [[nodiscard]] std::uint64_t refused_downstream() const {
    return counters()
        .connections_closed[static_cast<std::size_t>(Direction::downstream)]
                           [static_cast<std::size_t>(ConnectionResult::refused)]
        .load();
  }
};

TEST_F(AcceptTest, ConnectionsOverTheLimitOfAPodAreResetAndCounted) {
  add_upstream();
  start("", 1, "{limits: {podConnections: 2}}");
  HttpClient first = client();
  HttpClient second = client();
  EXPECT_EQ(first.get("/", kHost).status(), 200);
  EXPECT_EQ(second.get("/", kHost).status(), 200);

  HttpClient third = client();
  EXPECT_EQ(third.wait_for_end(), Io::reset);
  EXPECT_EQ(refused(RefusalScope::pod), 1);
  EXPECT_EQ(refused(RefusalScope::node), 0);
  EXPECT_EQ(refused_downstream(), 1);
  EXPECT_EQ(first.get("/", kHost).status(), 200);
}

TEST_F(AcceptTest, AClosedConnectionMakesRoomForAnother) {
  add_upstream();
  start("", 1, "{limits: {podConnections: 1}}");
  HttpClient first = client();
  EXPECT_EQ(first.get("/", kHost).status(), 200);
  first.close();
  EXPECT_TRUE(becomes_true([&] { return get().status() == 200; }));
}

TEST_F(AcceptTest, ConnectionsThatComeBeforeTheFirstConfigurationAreServedWithIt) {
  add_upstream();
  listen();
  HttpClient early = client();
  early.send("GET / HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");
  // The worker has slept and woken since the connection came.
  const std::uint64_t heartbeat = counters().heartbeat.load();
  ASSERT_TRUE(becomes_true([&] { return counters().heartbeat.load() >= heartbeat + 2; }));
  apply("");
  EXPECT_EQ(early.receive().status(), 200);
}

TEST_F(AcceptTest, AConnectionForWhichThereIsNoDescriptorIsServedWhenThereIsOne) {
  add_upstream();
  start();
  EXPECT_EQ(get().status(), 200);
  ASSERT_TRUE(becomes_true([&] { return counters().connections[0].load() == 0; }));  // its descriptors are free
  std::optional<NoDescriptors> none(std::in_place);
  none->free_one();
  HttpClient waiting = client();
  EXPECT_TRUE(becomes_true([&] { return counters().socket_shortages.load() >= 2; }));
  none.reset();
  EXPECT_EQ(waiting.get("/", kHost).status(), 200);
}

TEST_F(AcceptTest, AnAttemptForWhichThereIsNoDescriptorFailsAndIsCounted) {
  add_upstream();
  start();
  HttpClient connected = client();
  ASSERT_TRUE(becomes_true([&] { return counters().connections[0].load() == 1; }));
  const NoDescriptors none;
  EXPECT_EQ(connected.get("/", kHost).status(), 503);
  EXPECT_GE(counters().socket_shortages.load(), 1);
}

// Those who are connected can be answered, whoever else connects.
TEST_F(AcceptTest, HalfOfTheDescriptorsAreLeftForTheEndpoints) {
  add_upstream();
  set_descriptors(8);
  start();
  std::vector<HttpClient> connected;
  for (int i = 0; i < 4; ++i) {
    connected.push_back(client());
    EXPECT_EQ(connected.back().get("/", kHost).status(), 200);
  }
  HttpClient waiting = client();
  waiting.send("GET / HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");
  EXPECT_TRUE(becomes_true([&] { return counters().socket_shortages.load() >= 2; }));
  EXPECT_EQ(counters().connections[0].load(), 4);
  connected.pop_back();
  EXPECT_EQ(waiting.receive().status(), 200);
}

TEST_F(AcceptTest, APodThatIsGoneIsForgottenWithItsLastConnection) {
  add_upstream();
  start();
  HttpClient connected = client();
  EXPECT_EQ(connected.get("/", kHost).status(), 200);
  EXPECT_EQ(server().status().size(), 1);

  server().set_pods({});
  EXPECT_EQ(connected.get("/", kHost).status(), 200);
  EXPECT_EQ(server().status().size(), 1);
  connected.close();
  EXPECT_TRUE(becomes_true([&] { return server().status().empty(); }));
}

}  // namespace
}  // namespace tests
