#include "channel/codec.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace channel {
namespace {

using config::Milliseconds;

base::SocketAddress address(const char* text) { return *base::SocketAddress::parse(text); }

base::UniqueFd a_descriptor() { return base::UniqueFd(::eventfd(0, EFD_CLOEXEC)); }

config::WorkloadIdentity identity(std::uint32_t id) {
  return {.id = id,
          .workload = "greeter-v2",
          .workload_namespace = "shop",
          .app = "greeter",
          .version = "v2",
          .canonical_service = "greeter",
          .canonical_revision = "v2"};
}

// No field has its default, so that one which is not carried over shows.
config::NodeConfig full_config() {
  config::BackendPolicy policy;
  policy.connection_pool = {.max_connections = 1,
                            .connect_timeout = Milliseconds(2),
                            .max_pending_requests = 3,
                            .max_requests = 4,
                            .max_requests_per_connection = 5,
                            .max_retries = 6,
                            .idle_timeout = Milliseconds(7),
                            .max_connection_duration = Milliseconds(8),
                            .tcp_keepalive = config::ConnectionPoolPolicy::Keepalive{
                                .probes = 9, .time = std::chrono::seconds(10), .interval = std::chrono::seconds(11)}};
  policy.outlier = config::OutlierPolicy{.consecutive_5xx = 12,
                                         .consecutive_gateway = 13,
                                         .splits_local_origin = true,
                                         .consecutive_local_origin = 14,
                                         .interval = Milliseconds(15),
                                         .base_ejection_time = Milliseconds(16),
                                         .max_ejection_percent = 17,
                                         .min_health_percent = 18,
                                         .always_ejects_one_host = true};
  policy.retry_budget = config::RetryBudgetPolicy{.percent = 19.5, .min_retry_concurrency = 20};
  policy.load_balancer = config::LoadBalancer::random;

  config::RouteMatch match;
  match.uri = config::StringMatch{config::MatchKind::prefix, "/a", true};
  match.scheme = config::StringMatch{config::MatchKind::exact, "http", false};
  match.method = config::StringMatch{config::MatchKind::regex, "GET|PUT", false};
  match.authority = config::StringMatch{config::MatchKind::exact, "greeter", false};
  match.headers = {{.name = "x-user", .match = {config::MatchKind::present, "", false}, .is_inverted = true}};
  match.query = {{.name = "q", .match = {config::MatchKind::exact, "1", false}}};

  config::Route route;
  route.name = "canary";
  route.match = match;
  route.destinations = {{.backend = 0, .weight = 20}, {.backend = config::Destination::kUnknownBackend, .weight = 80}};
  route.total_weight = 100;
  route.direct_response = config::DirectResponse{.status = 418, .body = "teapot"};
  route.timeout = Milliseconds(21);
  route.retry = {.max_retries = 22,
                 .retry_on = config::kRetryOnReset,
                 .retriable_status_codes = {503, 599},
                 .per_try_timeout = Milliseconds(23),
                 .avoids_previous_hosts = false,
                 .backoff_base = Milliseconds(24),
                 .backoff_max = Milliseconds(25)};
  route.fault = {.delay = Milliseconds(26),
                 .delay_per_million = 27,
                 .abort_status = 200,
                 .abort_grpc_status = 14,
                 .abort_per_million = 28};
  route.decorator_operation = "greeter.shop.svc.cluster.local:80/a*";
  route.origin = "greeter.yaml:12";

  config::NodeConfig all;
  all.generation = 29;
  all.settings.access_log_format = config::AccessLogFormat::json;
  all.settings.access_log_flush_interval = Milliseconds(30);
  all.settings.max_request_head_bytes = 31;
  all.settings.max_response_head_bytes = 32;
  all.settings.max_headers = 33;
  all.settings.retry_buffer_bytes = 34;
  all.settings.pod_buffer_bytes = 35;
  all.settings.node_buffer_bytes = 43;
  all.settings.stream_buffer_bytes = 36;
  all.settings.downstream_idle_timeout = Milliseconds(37);
  all.settings.request_headers_timeout = Milliseconds(38);
  all.settings.delayed_close = Milliseconds(39);
  all.settings.max_connections_per_pod = 40;
  all.settings.server_header = "fairlead";
  all.settings.reports_destination = false;
  all.settings.max_series = 41;
  all.settings.cluster_name = "kind";
  all.settings.counts_tcp = false;
  all.services = {{.id = 42,
                   .host = "greeter.shop.svc.cluster.local",
                   .name = "greeter",
                   .name_space = "shop",
                   .app = "greeter",
                   .vips = {address("127.8.0.1:1").ip, address("[fd00::8]:1").ip},
                   .ports = {{.number = 80, .name = "tcp-raw", .protocol = config::Protocol::tcp}},
                   .is_headless = true}};
  all.backends = {{.name = "outbound|80|v2|greeter.shop.svc.cluster.local",
                   .service = 0,
                   .port = 80,
                   .subset = "v2",
                   .endpoints = {{.address = address("10.0.0.7:8080"), .weight = 43, .identity = identity(44)}},
                   .policy = policy}};
  all.route_tables = {
      {.ports = {{.port = 80,
                  .virtual_hosts = {{.name = "greeter:80", .domains = {"greeter", "*.shop"}, .routes = {route}}}}},
       .unknown_hosts = config::UnknownHostPolicy::registry_only}};
  all.workloads = {{.identity = identity(45),
                    .name = "client",
                    .name_space = "shop",
                    .labels = {{"app", "client"}, {"tier", "web"}},
                    .route_table = 0}};
  all.has_services_on_demand = true;
  return all;
}

template <typename T>
T carried(const Message& message) {
  const Encoded encoded = encode(message);
  std::vector<base::UniqueFd> descriptors;
  for (const int fd : encoded.descriptors) descriptors.emplace_back(::dup(fd));
  auto decoded = decode(encoded.bytes, descriptors);
  EXPECT_TRUE(decoded.has_value()) << (decoded ? "" : decoded.error().message);
  EXPECT_TRUE(descriptors.empty()) << "every descriptor has an owner";
  EXPECT_EQ(encode(*decoded).bytes, encoded.bytes);
  return std::get<T>(std::move(*decoded));
}

base::Result<Message> decoded(const Message& message, std::size_t descriptors) {
  std::vector<base::UniqueFd> arrived;
  for (std::size_t i = 0; i < descriptors; ++i) arrived.push_back(a_descriptor());
  return decode(encode(message).bytes, arrived);
}

TEST(Codec, CarriesEveryFieldOfAConfiguration) {
  const auto config = std::make_shared<const config::NodeConfig>(full_config());
  EXPECT_EQ(*carried<ApplyConfig>(ApplyConfig{config}).config, *config);
}

TEST(Codec, CarriesAnEmptyConfiguration) {
  const auto config = std::make_shared<const config::NodeConfig>();
  EXPECT_EQ(*carried<ApplyConfig>(ApplyConfig{config}).config, *config);
}

TEST(Codec, CarriesPods) {
  const std::vector<config::Pod> pods = {
      {.id = 1, .cgroup_id = 2, .name = "a", .name_space = "b", .workload = 3, .has_own_network = true}, {}};
  EXPECT_EQ(carried<SetPods>(SetPods{pods}).pods, pods);
}

TEST(Codec, CarriesAListenerWithItsSockets) {
  AddListener listener{.id = 7,
                       .fixed = FixedDestination{.original_destination = address("127.8.0.1:80"),
                                                 .pod = 9,
                                                 .passthrough = address("[::1]:99")},
                       .pod = 8,
                       .sockets = {}};
  listener.sockets.push_back(a_descriptor());
  listener.sockets.push_back(a_descriptor());
  const auto arrived = carried<AddListener>(std::move(listener));
  EXPECT_EQ(arrived.id, 7U);
  ASSERT_TRUE(arrived.fixed.has_value());
  EXPECT_EQ(arrived.fixed->original_destination, address("127.8.0.1:80"));
  EXPECT_EQ(arrived.fixed->pod, 9U);
  EXPECT_EQ(arrived.pod, 8U);
  EXPECT_EQ(arrived.fixed->passthrough, address("[::1]:99"));
  EXPECT_EQ(arrived.sockets.size(), 2U);
}

TEST(Codec, CarriesAHello) {
  const auto arrived = carried<ProxyHello>(
      ProxyHello{.version = "1.2.3", .generation = 4, .listeners = 5, .hosts = {"a", "b"}, .shards = a_descriptor()});
  EXPECT_EQ(arrived.version, "1.2.3");
  EXPECT_EQ(arrived.generation, 4U);
  EXPECT_EQ(arrived.listeners, 5U);
  EXPECT_EQ(arrived.hosts, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(arrived.shards);
}

TEST(Codec, CarriesSocketsOfAPod) {
  AddSockets sockets{.pod = 3, .worker = 1, .is_v6 = true, .sockets = {}};
  sockets.sockets.push_back(a_descriptor());
  sockets.sockets.push_back(a_descriptor());
  const auto arrived = carried<AddSockets>(std::move(sockets));
  EXPECT_EQ(arrived.pod, 3U);
  EXPECT_EQ(arrived.worker, 1U);
  EXPECT_TRUE(arrived.is_v6);
  EXPECT_EQ(arrived.sockets.size(), 2U);
  const auto needed = carried<NeedSockets>(NeedSockets{.pod = 4, .worker = 2, .is_v6 = true, .count = 16});
  EXPECT_EQ(needed.pod, 4U);
  EXPECT_EQ(needed.worker, 2U);
  EXPECT_TRUE(needed.is_v6);
  EXPECT_EQ(needed.count, 16U);
}

TEST(Codec, CarriesAHandover) {
  EXPECT_EQ(carried<TakeOver>(TakeOver{"fairlead-system/fairlead"}).owner, "fairlead-system/fairlead");
  const auto handed = carried<HandedOver>(HandedOver{.listeners = 4, .refusal = "no"});
  EXPECT_EQ(handed.listeners, 4U);
  EXPECT_EQ(handed.refusal, "no");
}

TEST(Codec, CarriesTheSearchForAService) {
  const base::IpAddress vip = address("[fd00::1]:1").ip;
  EXPECT_EQ(carried<FindService>(FindService{vip}).address, vip);
  const auto found = carried<ServiceFound>(ServiceFound{.address = vip, .generation = 9});
  EXPECT_EQ(found.address, vip);
  EXPECT_EQ(found.generation, 9U);
}

TEST(Codec, CarriesTheStateOfBackends) {
  const config::EndpointStatus endpoint{.address = address("10.0.0.1:80"),
                                        .is_ejected = true,
                                        .ejection_reason = "consecutive_5xx",
                                        .returns_in = std::chrono::milliseconds(5),
                                        .times_ejected = 2,
                                        .active_requests = 3,
                                        .connections = 4};
  const std::vector<config::BackendStatus> backends = {{.pod = 1,
                                                        .backend = "outbound|80||a",
                                                        .connections = 2,
                                                        .pending = 3,
                                                        .requests = 4,
                                                        .retries = 5,
                                                        .pending_overflow = 6,
                                                        .retry_overflow = 7,
                                                        .ejections_suppressed = 8,
                                                        .endpoints = {endpoint}}};
  const auto arrived = carried<StatusReply>(StatusReply{.sequence = 9, .backends = backends});
  EXPECT_EQ(arrived.sequence, 9U);
  EXPECT_EQ(arrived.backends, backends);
}

TEST(Codec, CarriesTheShortMessages) {
  EXPECT_EQ(carried<Hello>(Hello{.workers = 3, .shards = a_descriptor()}).workers, 3U);
  EXPECT_EQ(carried<RemoveListener>(RemoveListener{4}).id, 4U);
  EXPECT_TRUE(carried<SetAccessLog>(SetAccessLog{a_descriptor()}).file);
  EXPECT_FALSE(carried<SetAccessLog>(SetAccessLog{}).file);
  EXPECT_EQ(carried<Drain>(Drain{std::chrono::milliseconds(5)}).deadline, std::chrono::milliseconds(5));
  EXPECT_EQ(carried<Ping>(Ping{6}).sequence, 6U);
  EXPECT_EQ(carried<StatusRequest>(StatusRequest{7}).sequence, 7U);
  EXPECT_EQ(carried<Applied>(Applied{8, "no"}).error, "no");
  EXPECT_EQ(carried<Pong>(Pong{9}).sequence, 9U);
}

TEST(Codec, CarriesTheServicesInUse) {
  EXPECT_FALSE(carried<Ping>(Ping{6}).asks_for_services);
  EXPECT_TRUE(carried<Ping>(Ping{.sequence = 6, .asks_for_services = true}).asks_for_services);
  const auto used = [](const Pong& pong) { return carried<Pong>(Pong{pong}).used; };
  EXPECT_EQ(used({.sequence = 9}), std::nullopt) << "nobody has asked";
  const std::vector<std::string> none, two = {"a.default.svc.cluster.local", "b.default.svc.cluster.local"};
  EXPECT_EQ(used({.sequence = 9, .used = none}), none);
  EXPECT_EQ(used({.sequence = 9, .used = two}), two);
}

// What a process that was taken over could say.
TEST(Codec, RefusesIndicesThatLeadNowhere) {
  const auto refuses = [](void (*spoil)(config::NodeConfig&)) {
    auto config = std::make_shared<config::NodeConfig>(full_config());
    spoil(*config);
    return !decoded(ApplyConfig{config}, 0).has_value();
  };
  EXPECT_FALSE(refuses([](config::NodeConfig&) {}));
  EXPECT_TRUE(refuses([](config::NodeConfig& config) { config.backends[0].service = 1; }));
  EXPECT_TRUE(refuses([](config::NodeConfig& config) { config.workloads[0].route_table = 1; }));
  EXPECT_TRUE(refuses([](config::NodeConfig& config) {
    config.route_tables[0].ports[0].virtual_hosts[0].routes[0].destinations[0].backend = 1;
  }));
}

TEST(Codec, RefusesAListenerWithoutSockets) {
  EXPECT_FALSE(decoded(AddListener{.id = 1, .fixed = {}, .pod = {}, .sockets = {}}, 0));
}

TEST(Codec, RefusesAFrameWhoseDescriptorsDidNotCome) {
  EXPECT_FALSE(decoded(Hello{.workers = 1, .shards = a_descriptor()}, 0).has_value());
}

TEST(Codec, AnyPrefixOfAFrameIsAnErrorOrAMessage) {
  const std::string whole = encode(ApplyConfig{std::make_shared<const config::NodeConfig>(full_config())}).bytes;
  std::vector<base::UniqueFd> none;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode(std::string_view(whole).substr(0, size), none).has_value()) << size;
  }
}

TEST(Codec, RefusesNoise) {
  std::vector<base::UniqueFd> none;
  EXPECT_FALSE(decode("", none).has_value());
  EXPECT_FALSE(decode("\xff\xff\xff\xff", none).has_value());
  EXPECT_FALSE(decode("GET / HTTP/1.1\r\n\r\n", none).has_value());
}

}  // namespace
}  // namespace channel
