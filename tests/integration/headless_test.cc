// A headless service has no address of its own: whoever looks it up chooses an endpoint, and that is the one that is
// asked, under the service's policies.
#include "tests/integration/proxy_fixture.h"

namespace tests {
namespace {

using support::FakeUpstream;
using support::HttpClient;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kDb = "db.default.svc.cluster.local";

class HeadlessTest : public ProxyTest {
 protected:
  HeadlessTest() : dialled_(add_upstream()), other_(add_upstream()) { dial(dialled_.address()); }

  // Endpoints of one service on two ports of one host.
  [[nodiscard]] std::string service(const std::vector<const FakeUpstream*>& endpoints) const {
    const std::string port = std::to_string(dialled_.address().port);
    std::string text = "---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: None, ports: " +
                       ("[{name: http, port: " + port + "}]}\n");
    for (const FakeUpstream* endpoint : endpoints) {
      const std::string at = std::to_string(endpoint->address().port);
      text += "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-" + at +
              ", labels: {kubernetes.io/service-name: db, at: \"" + at + "\"}}\naddressType: IPv4\n" +
              "ports: [{name: http, port: " + at + "}]\nendpoints: [{addresses: [127.0.0.1]}]\n";
    }
    return text;
  }
  [[nodiscard]] std::string both() const { return service({&dialled_, &other_}); }
  static std::string route(const std::string& rule, const std::string& destination = "{host: db}") {
    return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: db}\n"
           "spec: {hosts: [db], http: [{" +
           rule + ", route: [{destination: " + destination + "}]}]}\n";
  }
  [[nodiscard]] support::ClientResponse ask(const std::string& host = "db-0.db") const {
    return client().get("/", host);
  }

  FakeUpstream& dialled_;
  FakeUpstream& other_;
};

TEST_F(HeadlessTest, TheEndpointThatIsDialledIsAsked) {
  start(both() + route("timeout: 5s"));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ask().status(), 200);
  EXPECT_THAT(dialled_.requests(), SizeIs(8));
  EXPECT_THAT(other_.requests(), IsEmpty());
  EXPECT_EQ(member(log_line(), "upstream_cluster"),
            "\"outbound|" + std::to_string(dialled_.address().port) + "||" + kDb + "\"");
}

TEST_F(HeadlessTest, ARetryAsksTheSameEndpoint) {
  dialled_.set_handler(support::in_order({support::reply({.status = 503}), support::reply()}));
  start(both() + route("retries: {attempts: 2, retryOn: 5xx}"));
  EXPECT_EQ(ask().status(), 200);
  EXPECT_THAT(dialled_.requests(), SizeIs(2));
  EXPECT_THAT(other_.requests(), IsEmpty());
}

TEST_F(HeadlessTest, AnEndpointThatIsEjectedIsAskedAllTheSame) {
  dialled_.set_handler(support::reply({.status = 500}));
  start(both() +
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db}\nspec: {host: db, "
        "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}}\n");
  EXPECT_EQ(ask().status(), 500);
  EXPECT_THAT(ejections(), SizeIs(1));
  EXPECT_EQ(ask().status(), 500);
  EXPECT_THAT(other_.requests(), IsEmpty());
}

TEST_F(HeadlessTest, ASubsetChoosesAPolicyAndNoEndpoint) {
  start(
      both() + route("timeout: 5s", "{host: db, subset: other}") +
      "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db}\nspec: {host: db, subsets: "
      "[{name: other, labels: {at: \"" +
      std::to_string(other_.address().port) + "\"}}]}\n");
  EXPECT_EQ(ask().status(), 200);
  EXPECT_THAT(dialled_.requests(), SizeIs(1));
}

TEST_F(HeadlessTest, AnEndpointThatHasLeftTheServiceGoesOnAnsweringItsConnections) {
  start(both() + route("timeout: 5s"));
  HttpClient connected = client();
  EXPECT_EQ(connected.get("/", "db").status(), 200);
  apply(service({&other_}) + route("timeout: 5s"));
  EXPECT_EQ(connected.get("/", "db").status(), 200);
  EXPECT_THAT(dialled_.requests(), SizeIs(2));
}

TEST_F(HeadlessTest, BytesThatAreNotHttpGoToTheEndpointThatIsDialled) {
  start(both() + route("timeout: 5s"));
  for (int i = 0; i < 8; ++i) {
    HttpClient raw = client();
    raw.send("hello\r\n\r\n");
    EXPECT_NE(raw.wait_for_end(), support::Io::timeout);
  }
  EXPECT_EQ(dialled_.connections(), 8U);
  EXPECT_EQ(other_.connections(), 0U);
}

// A rule of another service leads here: nobody has chosen an endpoint.
TEST_F(HeadlessTest, WhoDialsAnotherServiceIsBalanced) {
  dial(*base::SocketAddress::parse("127.77.0.9:3000"));
  const std::string port = std::to_string(dialled_.address().port);
  start(both() + route("timeout: 5s") +
        virtual_service("[{route: [{destination: {host: db, port: {number: " + port + "}}}]}]"));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(get().status(), 200);
  EXPECT_THAT(dialled_.requests(), ::testing::Not(IsEmpty()));
  EXPECT_THAT(other_.requests(), ::testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace tests
