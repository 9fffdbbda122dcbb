// HTTP/1.1 through the proxy, byte for byte where it matters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "tests/integration/proxy_fixture.h"
#include "tests/support/unanswering_listener.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using support::ClientResponse;
using support::Exchange;
using support::FakeUpstream;
using support::Gate;
using support::hang;
using support::HttpClient;
using support::Io;
using support::raw;
using support::reply;
using ::testing::AnyOf;
using ::testing::MatchesRegex;
using ::testing::Optional;
using ::testing::SizeIs;

constexpr std::string_view kHostLine = "Host: greeter-service:3000\r\n";

std::string request(std::string_view line, std::string_view more = "") {
  return std::string(line) + "\r\n" + std::string(kHostLine) + std::string(more) + "\r\n";
}

class Http1 : public ProxyTest {};

TEST_F(Http1, KeepsBothConnections) {
  FakeUpstream& upstream = add_upstream();
  start();
  HttpClient one = client();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(one.get("/", kHost).status(), 200);
  EXPECT_EQ(upstream.connections(), 1U);
}

TEST_F(Http1, AnswersPipelinedRequestsInTheirOrder) {
  FakeUpstream& upstream =
      add_upstream([](Exchange& exchange) { exchange.respond({.body = exchange.request().target()}); });
  start();
  HttpClient one = client();
  one.send(request("GET /a HTTP/1.1") + request("GET /b HTTP/1.1") + request("GET /c HTTP/1.1"));
  EXPECT_EQ(one.receive().body.text, "/a");
  EXPECT_EQ(one.receive().body.text, "/b");
  EXPECT_EQ(one.receive().body.text, "/c");
  EXPECT_EQ(upstream.connections(), 1U);
}

TEST_F(Http1, CarriesChunkedBodiesAndTrailersBothWays) {
  FakeUpstream& upstream = add_upstream(reply({.body = "answer", .is_chunked = true, .trailers = {{"x-sum", "42"}}}));
  start();
  HttpClient one = client();
  one.send(request("POST /up HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  const ClientResponse response = one.receive();
  EXPECT_EQ(response.body.text, "answer");
  EXPECT_EQ(response.head.header("transfer-encoding"), "chunked");
  ASSERT_TRUE(upstream.wait_for_requests(1));
  EXPECT_EQ(upstream.requests()[0].body.text, "hello world");
  EXPECT_EQ(one.get("/", kHost).status(), 200) << "the connection is still good";
}

TEST_F(Http1, HeadHasNoBody) {
  add_upstream(raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
  start();
  HttpClient one = client();
  const ClientResponse response = one.exchange(request("HEAD / HTTP/1.1"));
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.head.header("content-length"), "1000");
}

TEST_F(Http1, PassesInformationalResponses) {
  add_upstream(raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  start();
  const ClientResponse response = get();
  ASSERT_THAT(response.informational, SizeIs(1));
  EXPECT_EQ(response.informational[0].word(1), "103");
  EXPECT_EQ(response.body.text, "ok");
}

TEST_F(Http1, Passes100ContinueFromTheEndpoint) {
  add_upstream([](Exchange& exchange) {
    exchange.send("HTTP/1.1 100 Continue\r\n\r\n");
    exchange.respond({.body = "thanks"});
  });
  start();
  HttpClient one = client();
  one.send(request("PUT / HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
  EXPECT_THAT(one.receive_some(), ::testing::StartsWith("HTTP/1.1 100 Continue\r\n"));
  one.send("hello");
  EXPECT_EQ(one.receive().body.text, "thanks");
}

TEST_F(Http1, SpeaksHttp10) {
  add_upstream(reply({.body = "old", .is_chunked = true}));
  start();
  HttpClient one = client();
  one.send(std::string("GET / HTTP/1.0\r\n") + std::string(kHostLine) + "\r\n");
  const ClientResponse response = one.receive();
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.body.text, "old");
  EXPECT_FALSE(response.head.has("transfer-encoding"));
  EXPECT_EQ(one.wait_for_end(), Io::closed);
}

TEST_F(Http1, TakesTheHostFromAnAbsoluteTarget) {
  FakeUpstream& upstream = add_upstream();
  start();
  HttpClient one = client();
  EXPECT_EQ(one.exchange("GET http://greeter-service:3000/x HTTP/1.1\r\nHost: somebody.else\r\n\r\n").status(), 200);
  EXPECT_EQ(upstream.requests()[0].target(), "/x");
  EXPECT_EQ(upstream.requests()[0].head.header("host"), "greeter-service:3000");
}

// Nobody asked for a tunnel in a policy, and an endpoint that knew no CONNECT would be sent what is meant for another.
TEST_F(Http1, ConnectMatchesNoRouteAndIsTheLastOfItsConnection) {
  FakeUpstream& upstream = add_upstream();
  start();
  for (const std::string host : {"greeter-service:3000", "elsewhere:443"}) {
    HttpClient one = client();
    one.send("CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" + request("GET /smuggled HTTP/1.1"));
    const ClientResponse response = one.receive();
    EXPECT_EQ(response.status(), 404);
    EXPECT_EQ(response.head.header("connection"), "close");
    EXPECT_EQ(member(log_line(), "response_flags"), R"("NR")");
    EXPECT_THAT(one.wait_for_end(), AnyOf(Io::closed, Io::reset));
  }
  EXPECT_THAT(upstream.requests(), SizeIs(0));
}

TEST_F(Http1, PassesBytesAfterAnUpgrade) {
  add_upstream([](Exchange& exchange) {
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    exchange.send("echo: " + exchange.receive_some());
  });
  start();
  HttpClient one = client();
  one.send(request("GET /ws HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(one.receive_some(), ::testing::StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  one.send("\x81\x05hello");
  EXPECT_EQ(one.receive_some(), "echo: \x81\x05hello");
}

TEST_F(Http1, AnUpgradeThatIsNotAcceptedEndsTheConnection) {
  add_upstream(support::in_order({reply({.body = "not passed on"}), reply({.status = 403, .body = "no"})}));
  start();
  const std::string upgrade = request("GET /ws HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
  const ClientResponse accepted = client().exchange(upgrade);
  EXPECT_EQ(accepted.status(), 200);
  EXPECT_EQ(accepted.body.text, "");
  EXPECT_EQ(accepted.head.header("content-length"), "0");
  EXPECT_EQ(accepted.head.header("connection"), "close");
  EXPECT_FALSE(accepted.head.has("x-envoy-upstream-service-time"));
  EXPECT_EQ(member(log_line(), "response_code_details"), R"("websocket_handshake_unsuccessful")");

  const ClientResponse refused = client().exchange(upgrade);
  EXPECT_EQ(refused.status(), 403);
  EXPECT_EQ(refused.body.text, "no");
  EXPECT_EQ(refused.head.header("connection"), "close");
  EXPECT_EQ(member(log_line(), "response_code_details"), R"("via_upstream")");
}

TEST_F(Http1, RecordsWhoEndedATunnel) {
  add_upstream([](Exchange& exchange) {
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    exchange.receive_some();
    exchange.close();
  });
  start();
  const std::string upgrade = request("GET /ws HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
  HttpClient one = client();
  one.send(upgrade);
  EXPECT_THAT(one.receive_some(), ::testing::StartsWith("HTTP/1.1 101 "));
  one.send("bye");
  std::string line = log_line();
  EXPECT_EQ(member(line, "response_flags"), R"("UC")");
  EXPECT_EQ(member(line, "response_code_details"),
            R"("upstream_reset_after_response_started{connection_termination}")");
  EXPECT_EQ(one.wait_for_end(), Io::closed);

  HttpClient other = client();
  other.send(upgrade);
  EXPECT_THAT(other.receive_some(), ::testing::StartsWith("HTTP/1.1 101 "));
  other.close();
  line = log_line();
  EXPECT_EQ(member(line, "response_code"), "101");
  EXPECT_EQ(member(line, "response_flags"), R"("DC")");
}

TEST_F(Http1, AnEarlyAnswerReachesTheCallerBeforeItsBodyIsSent) {
  add_upstream([](Exchange& exchange) {
    exchange.respond({.status = 413, .body = "too large"}, true);
    exchange.close();
  });
  start();
  HttpClient one = client();
  one.send(request("PUT / HTTP/1.1", "Content-Length: 1000000\r\n") + "a beginning");
  EXPECT_EQ(one.receive().status(), 413);
}

// 64 MiB each way; what is in between is bounded by buffers, not by the body.
TEST_F(Http1, CarriesLargeBodies) {
  constexpr std::uint64_t kSize = 64ULL * 1024 * 1024;
  FakeUpstream& upstream = add_upstream(reply({.pattern_size = kSize}));
  start();
  HttpClient one = client();
  one.send(request("POST / HTTP/1.1", "Content-Length: " + std::to_string(kSize) + "\r\n"));
  support::Stream body(base::UniqueFd(::dup(one.fd())));  // a stream is for one thread
  std::thread upload([&] { body.send_pattern(kSize); });
  const ClientResponse response = one.receive();
  upload.join();
  EXPECT_EQ(response.body.size, kSize);
  EXPECT_TRUE(response.body.is_pattern);
  EXPECT_EQ(upstream.requests()[0].body.size, kSize);
  EXPECT_TRUE(upstream.requests()[0].body.is_pattern);
}

// A caller that does not read stops the endpoint, not the proxy's memory.
TEST_F(Http1, ASlowReaderHoldsTheEndpointBack) {
  std::atomic<std::uint64_t> sent{0};
  add_upstream([&](Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    while (exchange.send_pattern(64 * 1024)) sent += 64 * 1024;
  });
  start();
  HttpClient slow = client();
  slow.send(request("GET / HTTP/1.1"));
  std::uint64_t before = 1;
  while (before != sent || before == 0) {  // until nothing moves any more
    before = sent;
    std::this_thread::sleep_for(200ms);
  }
  // Two sockets' buffers on either side of the proxy, and its own 64 KiB.
  EXPECT_LT(sent, 64U * 1024 * 1024);
  slow.close();
}

TEST_F(Http1, ACallerThatGoesAwayCancelsTheEndpointsRequest) {
  FakeUpstream& upstream = add_upstream(hang());
  start();
  HttpClient one = client();
  one.send(request("GET / HTTP/1.1"));
  ASSERT_TRUE(upstream.wait_for_requests(1));
  one.close();
  EXPECT_TRUE(
      upstream.wait_until([](const FakeUpstream& seen) { return seen.requests()[0].cancelled_at.has_value(); }));
  EXPECT_EQ(member(log_line(), "response_flags"), R"("DC")");
}

TEST_F(Http1, ATunnelKeepsLittleUntilItsEndpointAnswers) {
  const support::UnansweringListener nobody;
  pass_to(nobody.address());
  start();
  HttpClient one = client();
  one.send("\x16\x03\x01");
  support::Stream flood(base::UniqueFd(::dup(one.fd())));
  flood.set_deadline(base::now() + 1s);
  EXPECT_EQ(flood.send_pattern(32ULL * 1024 * 1024), Io::timeout) << "more than the kernel's buffers hold";
  one.close();
}

TEST_F(Http1, ATunnelThroughWhichNothingGoesIsClosed) {
  FakeUpstream& upstream = add_upstream(hang());
  pass_to(upstream.address());
  start("", 1, "{limits: {downstreamIdleTimeout: 50ms}}");
  HttpClient one = client();
  one.send("\x16\x03\x01\r\n\r\n");
  EXPECT_EQ(one.wait_for_end(), Io::closed);
  EXPECT_TRUE(upstream.wait_until([](const FakeUpstream& seen) { return seen.open_connections() == 0; }));
}

// Also for a body that is here before there is a connection to send it on.
TEST_F(Http1, ABodyOverThePodsBudgetIsNotKeptForARetry) {
  FakeUpstream& upstream = add_upstream(reply({.status = 503}));
  start(virtual_service("[{retries: {attempts: 1, retryOn: 5xx}, route: [{destination: {host: greeter-service}}]}]"), 2,
        "{limits: {podBufferBytes: 65536}}");
  const auto post = [&](std::size_t size) {
    return client().exchange(request("POST / HTTP/1.1", "Content-Length: " + std::to_string(size) + "\r\n") +
                             std::string(size, 'b'));
  };
  EXPECT_EQ(post(65'536).status(), 503);
  EXPECT_THAT(upstream.requests(), SizeIs(2)) << "within the budget, which is free again afterwards";
  EXPECT_EQ(post(65'536).status(), 503);
  EXPECT_THAT(upstream.requests(), SizeIs(4));
  EXPECT_EQ(post(65'537).status(), 503);
  EXPECT_THAT(upstream.requests(), SizeIs(5));
}

TEST_F(Http1, EmptyLinesOfOtherProtocolsArePassedOn) {
  FakeUpstream& upstream = add_upstream();
  pass_to(upstream.address());
  start();
  HttpClient other = client();
  other.send("\r\nHELLO you\r\n\r\n");
  ASSERT_TRUE(upstream.wait_for_requests(1));
  EXPECT_EQ(upstream.requests()[0].head.start_line, "") << "its first line is empty";
}

// The endpoint goes away in the moment in which the next request comes. Whether the proxy notices before or after it
// has sent, the endpoint sees a whole request or none.
TEST_F(Http1, ARequestThatMeetsTheEndOfAKeptConnectionStaysWhole) {
  struct Gates {  // one each time; a thread of the endpoint may look at its gate after the test's end
    std::deque<Gate> all;
    std::atomic<Gate*> current{nullptr};
  };
  const auto gates = std::make_shared<Gates>();
  FakeUpstream& upstream = add_upstream([gates](Exchange& exchange) {
    const bool is_first = exchange.request().target() == "/first";
    Gate* const gate = gates->current;
    exchange.respond({});
    if (is_first && exchange.wait_for(*gate)) exchange.reset();
  });
  start(virtual_service("[{retries: {attempts: 0}, route: [{destination: {host: greeter-service}}]}]"));
  for (int i = 0; i < 300; ++i) {
    Gate& opens = gates->all.emplace_back();
    gates->current = &opens;
    HttpClient one = client();
    ASSERT_EQ(one.get("/first", kHost).status(), 200);
    one.send(request("POST /second HTTP/1.1", "Content-Length: 5\r\n") + "hello");
    opens.open();
    ASSERT_THAT(one.receive().status(), AnyOf(200, 503));
  }
  for (const auto& seen : upstream.requests()) {
    if (seen.target() == "/second") EXPECT_EQ(seen.body.text, "hello");
  }
}

struct Refused {
  const char* why;
  std::string head;
  int status;
};

// What two parsers could read differently is refused, and the connection closed (RFC 9112 11, SEMANTICS 2.10).
// The kernel would drop the response if the connection were closed with it under way and these bytes unread.
TEST_F(Http1, TheLastResponseArrivesThoughMoreThanARequestWasSent) {
  const auto gate = std::make_shared<Gate>();
  FakeUpstream& upstream = add_upstream([gate](Exchange& exchange) {
    if (exchange.wait_for(*gate)) exchange.respond({.body = "last"});
  });
  start();
  HttpClient one = client();
  one.send(request("GET / HTTP/1.1", "Connection: close\r\n"));
  ASSERT_TRUE(upstream.wait_for_requests(1));
  one.send("\r\n");  // as some clients do after a body
  gate->open();
  const ClientResponse response = one.receive();
  EXPECT_EQ(response.end, Io::ok);
  EXPECT_EQ(response.body.text, "last");
  EXPECT_THAT(one.wait_for_end(), AnyOf(Io::closed, Io::reset));
}

TEST_F(Http1, RefusesAmbiguousFraming) {
  FakeUpstream& upstream = add_upstream();
  start();
  const std::string host(kHostLine);
  const std::string usual = host + "User-Agent: test/1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Request-Id: abc\r\n";
  const std::string post = "POST / HTTP/1.1\r\n" + usual;
  const std::string get = "GET / HTTP/1.1\r\n" + usual;
  const Refused table[] = {
      {"both lengths", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"the same length twice", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {"a length beyond 2^63-1", post + "Content-Length: 9223372036854775808\r\n\r\nhello", 400},
      {"a sign", post + "Content-Length: +5\r\n\r\nhello", 400},
      {"chunked is not last", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
      {"an unknown coding", post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"a folded line", get + "X: a\r\n b\r\n\r\n", 400},
      {"a bare LF", "GET / HTTP/1.1\n" + host + "\r\n", 400},
      {"a bare CR", get + "X: a\rb\r\n\r\n", 400},
      {"NUL", get + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"a space in a name", get + "X : a\r\n\r\n", 400},
      {"a space before a name", "GET / HTTP/1.1\r\n X: a\r\n" + host + "\r\n", 400},
      {"two hosts", get + "Host: other\r\n\r\n", 400},
      {"a bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"too many headers",
       [&] {
         std::string head = get;
         for (int i = 0; i < 101; ++i) head += "X-" + std::to_string(i) + ": 1\r\n";
         return head + "\r\n";
       }(),
       431},
      {"too large", get + "X: " + std::string(61 * 1024, 'a') + "\r\n\r\n", 431},
  };
  for (const Refused& each : table) {
    SCOPED_TRACE(each.why);
    HttpClient one = client();
    one.send(each.head);
    EXPECT_EQ(one.receive().status(), each.status);
    EXPECT_THAT(one.wait_for_end(), AnyOf(Io::closed, Io::reset));
  }
  for (const auto& seen : upstream.requests()) ADD_FAILURE() << "reached the endpoint: " << seen.head.start_line;
}

// The head is whole and is logged with its request; only what follows it is broken.
TEST_F(Http1, ABadChunkThatComesWithTheHeadIsRefusedAndLogged) {
  FakeUpstream& upstream = add_upstream();
  start();
  HttpClient one = client();
  one.send(request("POST /up HTTP/1.1", "User-Agent: test/1\r\nX-Request-Id: abc\r\nTransfer-Encoding: chunked\r\n") +
           "xyz\r\n");
  EXPECT_EQ(one.receive().status(), 400);
  EXPECT_THAT(one.wait_for_end(), AnyOf(Io::closed, Io::reset));
  const std::string line = log_line();
  EXPECT_EQ(member(line, "path"), R"("/up")");
  EXPECT_EQ(member(line, "user_agent"), R"("test/1")");
  EXPECT_EQ(member(line, "request_id"), R"("abc")");
  EXPECT_EQ(member(line, "authority"), R"("greeter-service:3000")");
  EXPECT_EQ(member(line, "response_flags"), R"("DPE")");
  EXPECT_THAT(upstream.requests(), SizeIs(0));
}

// A caller that is told 400 cannot be understood: its connection is closed.
TEST_F(Http1, RefusesARequestWithoutHostAndCloses) {
  add_upstream();
  start();
  HttpClient one = client();
  const ClientResponse response = one.exchange("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(response.status(), 400);
  EXPECT_EQ(response.head.header("connection"), "close");
  EXPECT_EQ(one.wait_for_end(), Io::closed);
  EXPECT_EQ(member(log_line(), "response_code_details"), R"("missing_host_header")");
}

TEST_F(Http1, RefusesPathsThatCannotBeNormalisedAndCloses) {
  add_upstream();
  start();
  EXPECT_EQ(client().exchange(request("GET /a%00b HTTP/1.1")).head.header("connection"), "close");
}

// What is sent behind a head that is refused is read, or the reply would be lost to a reset.
TEST_F(Http1, LingersAfterRefusingAHeadThatIsFarTooLarge) {
  add_upstream();
  start();
  HttpClient one = client();
  one.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(one.receive().status(), 431);
  EXPECT_EQ(one.wait_for_end(), Io::closed);
}

TEST_F(Http1, TakesAnEmptyLineBetweenRequestsButNotBeforeTheFirst) {
  FakeUpstream& upstream = add_upstream();
  start();
  HttpClient one = client();
  EXPECT_EQ(one.exchange(request("GET /1 HTTP/1.1")).status(), 200);
  EXPECT_EQ(one.exchange("\r\n" + request("GET /2 HTTP/1.1")).status(), 200);
  log_line();
  log_line();
  HttpClient other = client();
  other.send("\r\n" + request("GET /3 HTTP/1.1"));  // passed as bytes
  ASSERT_TRUE(upstream.wait_for_requests(3));
  EXPECT_FALSE(upstream.requests()[2].head.has("x-envoy-attempt-count"));
  other.close();
  EXPECT_EQ(member(log_line(), "response_code"), "0");
}

TEST_F(Http1, AnEndpointHearsOfARequestWhoseBodyIsMalformed) {
  FakeUpstream& upstream = add_upstream();
  start();
  HttpClient one = client();
  EXPECT_EQ(one.get("/", kHost).status(), 200);  // leaves a connection to the endpoint
  one.send(request("POST /broken HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\nzz\r\n");
  const ClientResponse response = one.receive();
  EXPECT_EQ(response.status(), 400);
  EXPECT_EQ(response.body.text, "Bad Request");
  EXPECT_TRUE(upstream.wait_until([](const FakeUpstream& seen) {
    return seen.requests().size() == 2 && seen.requests()[1].cancelled_at.has_value();
  }));
}

TEST_F(Http1, TrailersOverTheLimitGive431) {
  add_upstream();
  start();
  HttpClient one = client();
  one.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "0\r\na: " + std::string(70'000, 'x') +
           "\r\n\r\n");
  EXPECT_EQ(one.receive().status(), 431);
  EXPECT_EQ(member(log_line(), "response_code_details"), R"("http1.headers_too_large")");
}

TEST_F(Http1, RecordsACallerThatLeavesInTheMiddleOfAHead) {
  add_upstream();
  start();
  HttpClient one = client();
  one.send("GET / HTTP/1.1\r\nHost: gre");
  one.close();
  const std::string line = log_line();
  EXPECT_EQ(member(line, "response_code"), "0");
  EXPECT_EQ(member(line, "response_flags"), R"("DC")");
  EXPECT_EQ(member(line, "response_code_details"), R"("downstream_remote_disconnect")");
}

TEST_F(Http1, AResponseHeadThatIsCutIsAProtocolError) {
  for (const char* const bytes : {"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nx-a: b\r\n"})
    add_upstream(raw(bytes));
  start(virtual_service("[{retries: {attempts: 0}, route: [{destination: {host: greeter-service}}]}]"));
  for (int i = 0; i < 6; ++i) {
    const ClientResponse response = get();
    EXPECT_EQ(response.status(), 502);
    EXPECT_EQ(response.body.text,
              "upstream connect error or disconnect/reset before headers. reset reason: protocol error");
    EXPECT_EQ(member(log_line(), "response_flags"), R"("UPE")");
  }
}

TEST_F(Http1, PassesOnTheFirstInformationalResponseOnly) {
  add_upstream([](Exchange& exchange) {
    exchange.send(
        "HTTP/1.1 199 Who Knows\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
        "HTTP/1.1 103 Early Hints\r\nlink: b\r\n\r\n");
    exchange.respond({.status = 200});
  });
  start();
  const ClientResponse response = get();
  EXPECT_EQ(response.status(), 200);
  ASSERT_THAT(response.informational, SizeIs(1));
  EXPECT_EQ(response.informational[0].header("link"), "a");
}

TEST_F(Http1, NothingIsRetriedAfterAnInformationalResponse) {
  FakeUpstream& upstream = add_upstream([](Exchange& exchange) {
    exchange.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    exchange.close();
  });
  start(virtual_service("[{retries: {attempts: 2, retryOn: 5xx}, route: [{destination: {host: greeter-service}}]}]"));
  EXPECT_EQ(get().status(), 503);
  EXPECT_EQ(member(log_line(), "response_code_details"),
            R"("upstream_reset_after_response_started{connection_termination}")");
  EXPECT_THAT(upstream.requests(), SizeIs(1));
}

TEST_F(Http1, AGrpcTimeoutOfTheCallerIsEnforcedAndToldToTheEndpoint) {
  FakeUpstream& upstream = add_upstream(hang());
  start(virtual_service("[{timeout: 5s, route: [{destination: {host: greeter-service}}]}]"));
  HttpClient one = client();
  const ClientResponse response =
      one.exchange(request("GET / HTTP/1.1", "Content-Type: application/grpc\r\ngrpc-timeout: 50m\r\n"));
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.head.header("grpc-status"), "14");
  // What is left of it when the request goes out; on a busy machine a moment has passed.
  EXPECT_THAT(upstream.requests().at(0).head.header("grpc-timeout"), Optional(MatchesRegex("(50|[1-4]?[0-9])m")));
  one.send(request("GET / HTTP/1.1", "Content-Type: application/grpc\r\n"));
  ASSERT_TRUE(upstream.wait_for_requests(2));
  EXPECT_THAT(upstream.requests().at(1).head.header("grpc-timeout"),
              Optional(MatchesRegex("(5000|4[0-9][0-9][0-9])m")));
}

TEST_F(Http1, WhatAnEndpointFramesAmbiguouslyIsA502) {
  const std::pair<const char*, const char*> table[] = {
      {"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"},
      {"not HTTP", "hello\r\n\r\n"},
  };
  for (const auto& [why, bytes] : table) {
    SCOPED_TRACE(why);
    add_upstream(raw(bytes));
  }
  start(virtual_service("[{retries: {attempts: 0}, route: [{destination: {host: greeter-service}}]}]"));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(get().status(), 502);
}

}  // namespace
}  // namespace tests
