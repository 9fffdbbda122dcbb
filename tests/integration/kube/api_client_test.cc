#include "agent/kube/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/integration/kube/scripted_api_server.h"
#include "tests/support/unanswering_listener.h"

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tests::support::Exchange;
using tests::support::FakeUpstream;
using tests::support::hang;
using tests::support::in_order;
using Kind = ApiError::Kind;

constexpr ApiTimeouts kShort{.connect = 200ms, .request = 200ms, .silence = 200ms};

ApiRequest get(std::string target) { return {.target = std::move(target)}; }

// What `client` reads of a watch.
struct Lines {
  bool is_open = false;
  std::vector<std::string> lines;
  ApiClient::Watcher watcher() {
    return {.on_open = [this] { is_open = true; },
            .on_line =
                [this](std::string_view line) {
                  lines.emplace_back(line);
                  return true;
                }};
  }
};

TEST(ApiClientTest, AsksAsTheBearerOfItsToken) {
  ScriptedApiServer server(answer(200, "{}"));
  ApiClient client(server.context, server.credentials());
  EXPECT_EQ(server.run(client.perform({.target = "/api/v1/pods?limit=1", .accept = "application/x"})), "{}");
  const auto request = server.upstream.requests().at(0);
  EXPECT_EQ(request.method(), "GET");
  EXPECT_EQ(request.target(), "/api/v1/pods?limit=1");
  EXPECT_EQ(request.head.header("Authorization"), "Bearer secret");
  EXPECT_EQ(request.head.header("Accept"), "application/x");
  EXPECT_EQ(request.head.header("Host"), server.front.address().to_string());
}

TEST(ApiClientTest, PutsTheServersPathBeforeEveryPath) {
  ScriptedApiServer server(answer(200, "{}"));
  ClientConfig config = server.config();
  config.base_path = "/k8s/clusters/c-1";
  ApiClient client(server.context, std::make_shared<Credentials>(config));
  ASSERT_TRUE(server.run(client.perform(get("/version"))));
  EXPECT_EQ(server.upstream.requests().at(0).target(), "/k8s/clusters/c-1/version");
}

TEST(ApiClientTest, KeepsItsConnection) {
  ScriptedApiServer server(in_order({answer(200, "{}"), answer(404, "{}"), answer(200, "{}")}));
  ApiClient client(server.context, server.credentials());
  EXPECT_TRUE(server.run(client.perform(get("/a"))));
  EXPECT_FALSE(server.run(client.perform(get("/b"))));
  EXPECT_TRUE(server.run(client.perform(get("/c"))));
  EXPECT_EQ(client.traffic().connections, 1U);
  EXPECT_EQ(client.traffic().bytes_received, 6U);
}

TEST(ApiClientTest, SendsDocuments) {
  ScriptedApiServer server(answer(201, "{}"));
  ApiClient client(server.context, server.credentials());
  ASSERT_TRUE(server.run(client.perform({.method = ApiRequest::Method::patch,
                                         .target = "/x",
                                         .body = "{\"a\":1}",
                                         .content_type = "application/merge-patch+json"})));
  const auto request = server.upstream.requests().at(0);
  EXPECT_EQ(request.method(), "PATCH");
  EXPECT_EQ(request.body.text, "{\"a\":1}");
  EXPECT_EQ(request.head.header("Content-Type"), "application/merge-patch+json");
}

TEST(ApiClientTest, FindsAServerByName) {
  ScriptedApiServer server(answer(200, "{}"), "DNS:localhost");
  ClientConfig config = server.config();
  config.host = config.server_name = "localhost";
  ApiClient client(server.context, std::make_shared<Credentials>(config));
  const auto body = server.run(client.perform(get("/")));
  EXPECT_TRUE(body) << body.error().message;
}

TEST(ApiClientTest, SaysWhatWasRefused) {
  ScriptedApiServer server(tests::support::reply({.status = 429,
                                                  .headers = {{"Retry-After", "3"}},
                                                  .body = R"({"reason":"TooManyRequests","message":"slowly"})"}));
  ApiClient client(server.context, server.credentials());
  const auto answer = server.run(client.perform(get("/")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::refused);
  EXPECT_EQ(answer.error().status, 429U);
  EXPECT_EQ(answer.error().message, "HTTP 429: slowly");
  EXPECT_EQ(answer.error().retry_after, 3s);
}

class RotatedToken : public ::testing::Test {
 protected:
  RotatedToken() {
    std::string path = (std::filesystem::temp_directory_path() / "fairlead-token-XXXXXX").string();
    const int fd = ::mkstemp(path.data());
    if (fd < 0) throw std::runtime_error("mkstemp");
    ::close(fd);
    path_ = path;
    write("old");
  }
  ~RotatedToken() override { std::filesystem::remove(path_); }
  void write(const std::string& token) const { std::ofstream(path_) << token; }

  // Refuses the old token, and by then the new one is in the file.
  tests::support::Handler rotating(tests::support::Handler then) {
    return [this, then = std::move(then)](Exchange& exchange) {
      if (exchange.request().head.header("Authorization") == "Bearer new") return then(exchange);
      write("new");
      answer(401, "{}")(exchange);
    };
  }
  std::string path_;
};

TEST_F(RotatedToken, IsReadAgainWhenTheOldOneIsRefused) {
  ScriptedApiServer server(rotating(answer(200, "{}")));
  ClientConfig config = server.config();
  config.token = {.file = path_};
  ApiClient client(server.context, std::make_shared<Credentials>(config));
  EXPECT_TRUE(server.run(client.perform(get("/"))));
  EXPECT_EQ(server.upstream.requests().size(), 2U);
}

TEST_F(RotatedToken, IsReadAgainForAWatchToo) {
  ScriptedApiServer server(rotating(watch_of({"{}"}, Then::end)));
  ClientConfig config = server.config();
  config.token = {.file = path_};
  ApiClient client(server.context, std::make_shared<Credentials>(config));
  Lines lines;
  EXPECT_TRUE(server.run(client.watch(get("/"), lines.watcher())));
  EXPECT_THAT(lines.lines, ElementsAre("{}"));
}

TEST(ApiClientTest, DoesNotInsistOnATokenThatIsRefused) {
  ScriptedApiServer server(answer(401, "{}"));
  ApiClient client(server.context, server.credentials());
  EXPECT_EQ(server.run(client.perform(get("/"))).error().status, 401U);
  EXPECT_EQ(server.upstream.requests().size(), 1U);
}

TEST(ApiClientTest, ReadsAgainWhenTheIdleConnectionHadBeenClosed) {
  ScriptedApiServer server([](Exchange& exchange) {
    exchange.respond({.body = "{}"});
    exchange.close();
  });
  ApiClient client(server.context, server.credentials());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(server.run(client.perform(get("/"))));
    server.upstream.wait_until([](const FakeUpstream& upstream) { return upstream.open_connections() == 0; });
  }
  EXPECT_EQ(server.upstream.requests().size(), 3U);
}

TEST(ApiClientTest, WritesOnlyOnce) {
  ScriptedApiServer server(in_order({answer(200, "{}"), tests::support::close_unanswered(), answer(200, "{}")}));
  ApiClient client(server.context, server.credentials());
  EXPECT_TRUE(server.run(client.perform(get("/"))));
  const auto answer = server.run(client.perform({.method = ApiRequest::Method::post, .target = "/", .body = "{}"}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::connection);
  EXPECT_THAT(answer.error().message, HasSubstr("the server closed the connection"));
  EXPECT_EQ(server.upstream.requests().size(), 2U);
  EXPECT_TRUE(server.run(client.perform(get("/")))) << "a new connection is made for the next";
}

TEST(ApiClientTest, WaitsForAnAnswerOnlySoLong) {
  ScriptedApiServer server(hang());
  ApiClient client(server.context, server.credentials(), kShort);
  const auto answer = server.run(client.perform(get("/")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::connection);
  EXPECT_THAT(answer.error().message, HasSubstr("no answer in time"));
  EXPECT_EQ(server.upstream.requests().size(), 1U);
}

TEST(ApiClientTest, WaitsForAConnectionOnlySoLong) {
  ScriptedApiServer server;
  const tests::support::UnansweringListener nobody;
  FakeUpstream no_tls;
  no_tls.set_on_accept(FakeUpstream::OnAccept::hang);
  for (const auto& [address, what] :
       {std::pair{nobody.address(), "connect to"}, std::pair{no_tls.address(), "TLS handshake with"}}) {
    ClientConfig config = server.config();
    config.port = address.port;
    ApiClient client(server.context, std::make_shared<Credentials>(config), kShort);
    const auto answer = server.run(client.perform(get("/")));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, what + (" " + address.to_string()) + ": no answer in time");
  }
}

TEST(ApiClientTest, TrustsOnlyItsAuthorityAndOnlyTheNameItAskedFor) {
  const auto refused = [](ScriptedApiServer& server, const ClientConfig& config) {
    ApiClient client(server.context, std::make_shared<Credentials>(config));
    const auto answer = server.run(client.perform(get("/")));
    return answer ? "accepted" : answer.error().message;
  };
  ScriptedApiServer server(answer(200, "{}"));
  ClientConfig stranger = server.config();
  stranger.authority.text = tests::support::TestAuthority().pem();
  EXPECT_THAT(refused(server, stranger), HasSubstr("its certificate is not accepted: "));
  ClientConfig misnamed = server.config();
  misnamed.server_name = "kubernetes.default";
  EXPECT_THAT(refused(server, misnamed), HasSubstr("its certificate is not accepted: hostname mismatch"));
  misnamed.server_name = "127.0.0.2";
  EXPECT_THAT(refused(server, misnamed), HasSubstr("its certificate is not accepted: IP address mismatch"));
  ScriptedApiServer expired(answer(200, "{}"), "IP:127.0.0.1", true);
  EXPECT_THAT(refused(expired, expired.config()),
              HasSubstr("its certificate is not accepted: certificate has expired"));
  ClientConfig careless = expired.config();
  careless.verifies_server = false;
  EXPECT_EQ(refused(expired, careless), "accepted");
}

TEST(ApiClientTest, TakesNoAnswerThatIsTooLarge) {
  ScriptedApiServer server([](Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n");
    exchange.hang();
  });
  ApiClient client(server.context, server.credentials());
  const auto answer = server.run(client.perform(get("/")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::too_large);
}

TEST(ApiClientTest, TakesNoAnswerThatIsNotHttp) {
  ScriptedApiServer server(tests::support::raw("SSH-2.0-server\r\n"));
  ApiClient client(server.context, server.credentials());
  const auto answer = server.run(client.perform(get("/")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::connection);
}

TEST(ApiClientTest, WatchesLineByLineHoweverTheyArrive) {
  ScriptedApiServer server([](Exchange& exchange) {
    exchange.send_head({.is_chunked = true});
    for (const char* piece : {"on", "e\ntwo\n\nthr", "ee\n", "half"}) exchange.send_chunk(piece);
    exchange.send_last_chunk();
  });
  ApiClient client(server.context, server.credentials());
  Lines lines;
  const auto ended = server.run(client.watch(get("/"), lines.watcher()));
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(lines.is_open);
  EXPECT_THAT(lines.lines, ElementsAre("one", "two", "three"));
}

TEST(ApiClientTest, WatchesLinesThatAreLongerThanItsBuffer) {
  const std::string object(std::size_t{3} * 1024 * 1024, 'x');
  ScriptedApiServer server(watch_of({object, "short"}, Then::end));
  ApiClient client(server.context, server.credentials());
  Lines lines;
  EXPECT_TRUE(server.run(client.watch(get("/"), lines.watcher())));
  EXPECT_EQ(lines.lines, (std::vector<std::string>{object, "short"}));
}

TEST(ApiClientTest, EndsAWatchWhoseLineHasNoEnd) {
  ScriptedApiServer server([](Exchange& exchange) {
    exchange.send_head({.is_chunked = true});
    const std::string piece(std::size_t{1024} * 1024, 'x');
    while (exchange.send_chunk(piece)) {
    }
  });
  ApiClient client(server.context, server.credentials());
  Lines lines;
  EXPECT_EQ(server.run(client.watch(get("/"), lines.watcher())).error().kind, Kind::malformed);
}

TEST(ApiClientTest, EndsASilentWatch) {
  ScriptedApiServer server(watch_of({"one"}, Then::stay));
  ApiClient client(server.context, server.credentials(), kShort);
  Lines lines;
  EXPECT_EQ(server.run(client.watch(get("/"), lines.watcher())).error().kind, Kind::silence);
  EXPECT_THAT(lines.lines, ElementsAre("one"));
}

TEST(ApiClientTest, SaysWhyAWatchWasRefused) {
  ScriptedApiServer server(answer(410, R"({"reason":"Expired","message":"too old"})"));
  ApiClient client(server.context, server.credentials());
  Lines lines;
  const auto ended = server.run(client.watch(get("/"), lines.watcher()));
  EXPECT_EQ(ended.error().status, 410U);
  EXPECT_EQ(ended.error().reason, "Expired");
  EXPECT_FALSE(lines.is_open);
}

TEST(ApiClientTest, StopsAWatchWhenItsReaderHasEnough) {
  ScriptedApiServer server(watch_of({"one", "two"}, Then::stay));
  ApiClient client(server.context, server.credentials());
  std::vector<std::string> lines;
  EXPECT_TRUE(server.run(client.watch(get("/"), {.on_open = [] {},
                                                 .on_line =
                                                     [&](std::string_view line) {
                                                       lines.emplace_back(line);
                                                       return false;
                                                     }})));
  EXPECT_THAT(lines, ElementsAre("one"));
  EXPECT_TRUE(
      server.upstream.wait_until([](const FakeUpstream& upstream) { return upstream.open_connections() == 0; }));
}

TEST(ApiClientTest, EndsWhatIsUnderWayWhenItIsClosed) {
  ScriptedApiServer server(watch_of({"one"}, Then::stay));
  ApiClient client(server.context, server.credentials());
  const auto ended = server.run(client.watch(get("/"), {.on_open = [] {},
                                                        .on_line =
                                                            [&](std::string_view) {
                                                              client.close();
                                                              return true;
                                                            }}));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, Kind::closed);
  EXPECT_EQ(server.run(client.perform(get("/"))).error().kind, Kind::closed);
}

}  // namespace
}  // namespace agent::kube
