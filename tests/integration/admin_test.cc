// The admin endpoint over real connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/admin/server.h"
#include "tests/support/http_client.h"

namespace agent::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::support::ClientResponse;
using tests::support::HttpClient;

class AdminServer : public ::testing::Test {
 protected:
  AdminServer() {
    auto view = std::make_shared<NodeView>();
    view->config = std::make_shared<config::NodeConfig>();
    view->is_proxy_up = view->has_listeners = true;
    view->proxy_generation = 1;
    const Ask ask = [this, view](const std::function<void(Snapshot)>& answer) {
      if (!answers_) return;
      answer({.view = view, .backends = std::vector<config::BackendStatus>(), .verdicts = {}, .maps = {}});
    };
    auto started = Server::start(*base::SocketAddress::parse("127.0.0.1:0"), ask, names_);
    if (!started) throw std::runtime_error(started.error().message);
    server_ = std::move(*started);
  }
  ClientResponse get(const std::string& target) { return HttpClient(server_->address()).get(target, "localhost"); }
  void show_counters() {
    auto memory = ::telemetry::SharedMemory::create(1, 100);
    ASSERT_TRUE(memory.has_value());
    server_->show_counters(std::move(*memory));
  }

  telemetry::IdentityTable names_;
  std::atomic<bool> answers_{true};
  std::unique_ptr<Server> server_;
};

TEST_F(AdminServer, AnswersEachPage) {
  show_counters();
  for (const char* path : {"/", "/healthz", "/readyz", "/config_dump", "/clusters", "/metrics", "/stats/prometheus"}) {
    EXPECT_EQ(get(path).status(), 200) << path;
  }
  EXPECT_EQ(get("/clusters?format=json").head.header("content-type"), "application/json");
  EXPECT_THAT(*get("/metrics").head.header("content-type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_EQ(get("/nothing").status(), 404);
}

TEST_F(AdminServer, CountersAreMissedBeforeThereIsAProxy) { EXPECT_EQ(get("/metrics").status(), 503); }

TEST_F(AdminServer, NegotiatesFormatAndCompression) {
  show_counters();
  HttpClient client(server_->address());
  const ClientResponse response = client.get(
      "/metrics", "localhost", {{"Accept", "application/openmetrics-text;version=1.0.0"}, {"Accept-Encoding", "gzip"}});
  EXPECT_THAT(*response.head.header("content-type"), StartsWith("application/openmetrics-text"));
  EXPECT_EQ(response.head.header("content-encoding"), "gzip");
  EXPECT_EQ(response.head.header("vary"), "Accept, Accept-Encoding");
}

TEST_F(AdminServer, KeepsAConnection) {
  HttpClient client(server_->address());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/healthz", "localhost").status(), 200);
}

TEST_F(AdminServer, HeadHasTheLengthAndNoBody) {
  HttpClient client(server_->address());
  const ClientResponse response = client.exchange("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.head.header("content-length"), "3");
  EXPECT_EQ(client.get("/healthz", "localhost").status(), 200) << "nothing is in between";
}

TEST_F(AdminServer, OnlyReads) {
  HttpClient client(server_->address());
  const ClientResponse response = client.exchange("DELETE /config_dump HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(response.status(), 405);
  EXPECT_EQ(response.head.header("allow"), "GET, HEAD");
}

TEST_F(AdminServer, SurvivesWhatIsNotARequest) {
  for (const std::string& bytes :
       {std::string("\x16\x03\x01garbage\r\n\r\n"), "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n",
        std::string("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), std::string("GET / HTTP/9.9\r\n\r\n")}) {
    HttpClient client(server_->address());
    client.exchange(bytes);
  }
  EXPECT_EQ(get("/healthz").status(), 200);
}

TEST(AdminServerStart, SaysWhatToDoWhenTheAddressIsTaken) {
  const Ask ask = [](const std::function<void(Snapshot)>&) {};
  telemetry::IdentityTable names;
  const auto first = Server::start(*base::SocketAddress::parse("127.0.0.1:0"), ask, names);
  ASSERT_TRUE(first.has_value());
  const auto second = Server::start((*first)->address(), ask, names);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("--admin ADDRESS:PORT"));
}

}  // namespace
}  // namespace agent::admin
