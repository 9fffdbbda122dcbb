#include "tests/support/fake_upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/support/http_client.h"
#include "tests/support/unanswering_listener.h"

// The fakes talk to each other: what a test with the proxy in between relies on.
namespace tests::support {
namespace {

using namespace std::chrono_literals;

TEST(FakeUpstream, AnswersInOrderAndRepeatsTheLastAnswer) {
  const FakeUpstream upstream(in_order({reply({.status = 503}), reply({.body = "hello"})}));
  HttpClient client(upstream.address());
  EXPECT_EQ(client.get("/a").status(), 503);
  EXPECT_EQ(client.get("/b").body.text, "hello");
  EXPECT_EQ(client.get("/c").body.text, "hello");
  ASSERT_EQ(upstream.requests().size(), 3);
  EXPECT_EQ(upstream.requests()[1].target(), "/b");
  EXPECT_EQ(upstream.requests()[2].nth, 3);
  EXPECT_EQ(upstream.connections(), 1);
}

TEST(FakeUpstream, ReadsBodiesOfBothFramings) {
  const FakeUpstream upstream;
  HttpClient client(upstream.address());
  client.exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  client.exchange(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n");
  ASSERT_TRUE(upstream.wait_for_requests(2));
  const auto requests = upstream.requests();
  EXPECT_EQ(requests[0].body.text, "abc");
  EXPECT_EQ(requests[1].body.text, "abc");
  EXPECT_THAT(requests[1].body.trailers, testing::ElementsAre(testing::Pair("X-Sum", "1")));
}

TEST(FakeUpstream, SendsAndChecksALargeBodyWithoutKeepingIt) {
  constexpr std::uint64_t kSize = 3'000'001;
  const FakeUpstream upstream(reply({.pattern_size = kSize, .is_chunked = true}));
  HttpClient client(upstream.address());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  client.send_pattern(kSize);
  const ClientResponse response = client.receive();
  EXPECT_EQ(response.end, Io::ok);
  EXPECT_EQ(response.body.size, kSize);
  EXPECT_TRUE(response.body.is_pattern);
  EXPECT_EQ(upstream.requests()[0].body.size, kSize);
  EXPECT_TRUE(upstream.requests()[0].body.is_pattern);
}

TEST(FakeUpstream, NoticesThatTheClientLeft) {
  const FakeUpstream upstream(hang());
  HttpClient client(upstream.address());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(upstream.wait_for_requests(1));
  EXPECT_FALSE(upstream.requests()[0].cancelled_at);
  client.close();
  EXPECT_TRUE(upstream.wait_until([](const FakeUpstream& u) { return u.requests()[0].cancelled_at.has_value(); }));
  EXPECT_TRUE(upstream.wait_until([](const FakeUpstream& u) { return u.open_connections() == 0; }));
}

TEST(FakeUpstream, WaitsForTheGate) {
  auto gate = std::make_shared<Gate>();
  const FakeUpstream upstream(after(gate, reply()));
  HttpClient client(upstream.address());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(upstream.wait_for_requests(1));
  client.set_limit(0ms);
  EXPECT_EQ(client.receive().end, Io::timeout);
  gate->open();
  client.set_limit(10s);
  EXPECT_EQ(client.receive().status(), 200);
}

TEST(FakeUpstream, ClosesAndResets) {
  FakeUpstream upstream(close_unanswered());
  EXPECT_EQ(HttpClient(upstream.address()).get("/").end, Io::closed);
  upstream.set_handler(reset_unanswered());
  EXPECT_EQ(HttpClient(upstream.address()).get("/").end, Io::reset);
  upstream.set_on_accept(FakeUpstream::OnAccept::reset);
  EXPECT_EQ(HttpClient(upstream.address()).get("/").end, Io::reset);
}

TEST(FakeUpstream, RefusesWhileDownAndComesBackOnTheSamePort) {
  FakeUpstream upstream;
  HttpClient connected(upstream.address());
  EXPECT_EQ(connected.get("/").status(), 200);
  upstream.go_down();
  EXPECT_EQ(connected.wait_for_end(), Io::reset);
  EXPECT_THROW(HttpClient{upstream.address()}, std::runtime_error);
  upstream.come_up();
  EXPECT_EQ(HttpClient(upstream.address()).get("/").status(), 200);
}

TEST(FakeUpstream, PassesInformationalResponses) {
  const FakeUpstream upstream([](Exchange& exchange) {
    exchange.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    exchange.respond({});
  });
  const ClientResponse response = HttpClient(upstream.address()).get("/");
  ASSERT_EQ(response.informational.size(), 1);
  EXPECT_EQ(response.informational[0].header("Link"), "</a>");
  EXPECT_EQ(response.status(), 200);
}

TEST(UnansweringListener, NeitherAcceptsNorRefuses) {
  const UnansweringListener nowhere;
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sockaddr_storage storage{};
  const socklen_t size = nowhere.address().to_sockaddr(storage);
  EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  Stream stream(std::move(socket));
  EXPECT_EQ(stream.wait(base::now() + 50ms), Io::ok);  // nothing happened
}

}  // namespace
}  // namespace tests::support
