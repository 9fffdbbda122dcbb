#include <deque>
#include <thread>

#include "tests/integration/proxy_fixture.h"

// What is kept for one pod is counted and bounded, whatever it does.
namespace tests {
namespace {

using namespace std::chrono_literals;
using support::ClientResponse;
using support::HttpClient;

class BufferedTest : public ProxyTest {
 protected:
  static constexpr std::uint64_t kLimit = 65'536;
  static constexpr const char* kSettings = "{limits: {podBufferBytes: 65536}}";

  [[nodiscard]] double buffered() const {
    return sample(R"(fairlead_pod_buffered_bytes{source_namespace="unknown",source_pod="unknown"})").value_or(0);
  }
  [[nodiscard]] std::uint64_t refusals(::telemetry::RefusalScope scope = ::telemetry::RefusalScope::pod) const {
    return counters().refusals[static_cast<std::size_t>(scope)].load();
  }
  // A head of `size` bytes without its last line.
  static std::string most_of_a_head(std::size_t size) {
    std::string head = "GET / HTTP/1.1\r\nHost: greeter-service:3000\r\nX-Padding: ";
    head.append(size - head.size() - 2, 'x');
    return head + "\r\n";
  }
};

TEST_F(BufferedTest, HeadsInPiecesAreRefusedWhenThePodHasUsedUpWhatMayBeKept) {
  add_upstream();
  start("", 1, kSettings);
  std::deque<HttpClient> slow;
  for (int i = 0; i < 3; ++i) slow.emplace_back(client()).send(most_of_a_head(20'000));
  ASSERT_TRUE(becomes_true([&] { return buffered() == 60'000; })) << buffered();

  HttpClient over = client();
  over.send(most_of_a_head(20'000));
  const ClientResponse refused = over.receive();
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.body.text, "envoy overloaded");
  EXPECT_EQ(refused.head.header("connection"), "close");
  const std::string line = log_line();
  EXPECT_EQ(member(line, "response_flags"), R"("OM")");
  EXPECT_EQ(member(line, "response_code_details"), R"("overload")");
  EXPECT_EQ(refusals(), 1U);

  EXPECT_EQ(get().status(), 200) << "a request in one piece is served";
  for (HttpClient& each : slow) {
    each.send("\r\n");
    EXPECT_EQ(each.receive().status(), 200) << "and so is what was kept";
  }
  EXPECT_TRUE(becomes_true([&] { return buffered() == 0; })) << buffered();
}

TEST_F(BufferedTest, TheNodeHasALimitOfItsOwn) {
  add_upstream();
  start("", 1, "{limits: {nodeBufferBytes: 1048576}}");
  std::deque<HttpClient> slow;
  for (int i = 0; i < 17; ++i) slow.emplace_back(client()).send(most_of_a_head(60'000));
  ASSERT_TRUE(becomes_true([&] { return buffered() == 1'020'000; })) << buffered();
  HttpClient over = client();
  over.send(most_of_a_head(60'000));
  EXPECT_EQ(over.receive().status(), 503);
  EXPECT_EQ(refusals(::telemetry::RefusalScope::node), 1U);
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(get().status(), 200);
}

TEST_F(BufferedTest, LargeHeadsOfRequestsThatWaitAreCounted) {
  add_upstream(support::hang());
  start("", 1, kSettings);
  std::deque<HttpClient> waiting;
  for (int i = 0; i < 3; ++i) waiting.emplace_back(client()).send(most_of_a_head(20'000) + "\r\n");
  ASSERT_TRUE(becomes_true([&] { return buffered() == 60'006; })) << buffered();
  const ClientResponse refused = client().exchange(most_of_a_head(20'000) + "\r\n");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(member(log_line(), "response_flags"), R"("OM")");
  waiting.clear();
  EXPECT_TRUE(becomes_true([&] { return buffered() == 0; })) << buffered();
}

TEST_F(BufferedTest, ManySlowReadersTogetherKeepLittleAndLoseNothing) {
  constexpr std::size_t kReaders = 20;
  constexpr std::size_t kBody = 16ULL * 1024 * 1024;  // more than the kernel keeps of a connection
  add_upstream(support::reply({.pattern_size = kBody}));
  start("", 1, kSettings);
  std::deque<HttpClient> slow;
  for (std::size_t i = 0; i < kReaders; ++i) {
    slow.emplace_back(client()).send("GET / HTTP/1.1\r\nHost: greeter-service:3000\r\n\r\n");
  }
  ASSERT_TRUE(becomes_true([&] { return buffered() > 0; }));
  double most = 0;
  for (double last = -1; last != buffered();) {  // until nothing moves any more
    last = buffered();
    most = std::max(most, last);
    std::this_thread::sleep_for(600ms);  // longer than the gauge is old
  }
  // Those before it was tight keep what they have read; everybody else a small share, and one more on top.
  EXPECT_LT(most, 4 * kLimit + kReaders * 3 * 4096.0);
  EXPECT_EQ(get().body.size, kBody) << "others are served";
  for (HttpClient& reader : slow) {
    const ClientResponse response = reader.receive();
    EXPECT_EQ(response.body.size, kBody);
    EXPECT_TRUE(response.body.is_pattern);
  }
  EXPECT_TRUE(becomes_true([&] { return buffered() == 0; })) << buffered();
}

}  // namespace
}  // namespace tests
