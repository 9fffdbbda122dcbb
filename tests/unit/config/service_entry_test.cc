#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using test::errors_of;
using test::load;
using test::warnings_of;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string entry(std::string_view spec) {
  return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\nspec: {" + std::string(spec) +
         "}\n";
}

std::string error_of(std::string_view spec) {
  const auto errors = errors_of(entry(spec));
  return errors.empty() ? "" : errors.front().substr(errors.front().find(" spec") + 1);
}

TEST(ServiceEntry, ReadsHostsAddressesPortsAndEndpoints) {
  const Documents documents = load(test::kGreeter);
  ASSERT_THAT(documents.service_entries, SizeIs(1));
  const ServiceEntry& service = documents.service_entries[0];
  EXPECT_TRUE(service.is_static);
  EXPECT_EQ(service.hosts.at(0), "greeter-service.default.svc.cluster.local");
  EXPECT_EQ(service.addresses.at(0).to_string(), "127.77.0.9");
  EXPECT_EQ(service.ports.at(0).number, 3000);
  EXPECT_EQ(service.ports.at(0).protocol, Protocol::http);
  ASSERT_THAT(service.endpoints, SizeIs(3));
  EXPECT_EQ(service.endpoints[2].ports.at("http"), 9003);
  EXPECT_EQ(service.endpoints[2].labels.at("version"), "v3");
  EXPECT_EQ(service.endpoints[2].weight, 1);
}

TEST(ServiceEntry, DecidesWhichPortsCarryHttp) {
  const std::tuple<const char*, int, Protocol> kCases[] = {
      {"HTTP", 80, Protocol::http}, {"http", 80, Protocol::http},  {"GRPC-Web", 80, Protocol::http},
      {"TCP", 80, Protocol::tcp},   {"HTTPS", 443, Protocol::tcp}, {"TLS", 443, Protocol::tcp},
      {"GRPC", 80, Protocol::tcp},  {"HTTP2", 80, Protocol::tcp},  {"MONGO", 80, Protocol::tcp},
      {"''", 8080, Protocol::http}, {"''", 3306, Protocol::tcp},
  };
  for (const auto& [protocol, number, expected] : kCases) {
    const Documents documents = load(entry(std::string("hosts: [a.b], resolution: STATIC, ports: [{number: ") +
                                           std::to_string(number) + ", name: tcp-x, protocol: " + protocol + "}]"));
    EXPECT_EQ(documents.service_entries.at(0).ports.at(0).protocol, expected) << protocol << " " << number;
  }
}

TEST(ServiceEntry, RefusesWhatIstioRefuses) {
  const std::pair<const char*, const char*> kCases[] = {
      {"hosts: []", "spec.hosts: is empty; name at least one host"},
      {"hosts: ['*']", "spec.hosts[0]: \"*\" is not a host; name one, or *.<domain>"},
      {"hosts: [a.b], addresses: [300.0.0.1]", "spec.addresses[0]: \"300.0.0.1\" is not an IPv4 or IPv6 address"},
      {"hosts: [a.b], ports: [{number: 80, name: a}, {number: 80, name: b}]",
       "spec.ports[1].number: the port 80 is there twice"},
      {"hosts: [a.b], ports: [{number: 80, name: a}, {number: 81, name: a}]",
       "spec.ports[1].name: the port name \"a\" is there twice"},
      {"hosts: [a.b], ports: [{number: 80, name: a, protocol: SPDY}]",
       "spec.ports[0].protocol: \"SPDY\" is not a protocol; write HTTP, HTTPS, HTTP2, GRPC, GRPC-Web, TCP, TLS, MONGO, "
       "MYSQL, REDIS or UDP"},
      {"hosts: [a.b], ports: [{number: 70000, name: a}]",
       "spec.ports[0].number: 70000 is out of range; allowed is 1 to 65535"},
      {"hosts: [a.b], endpoints: [{address: 127.0.0.1}]",
       "spec.endpoints: need resolution: STATIC (it is NONE); add it"},
      {"hosts: [a.b], resolution: STATIC, endpoints: [{address: example.com}]",
       "spec.endpoints[0].address: \"example.com\" is not an IPv4 or IPv6 address"},
      {"hosts: [a.b], resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {x: 1}}]",
       "spec.endpoints[0].ports.x: the service has no port named \"x\""},
      {"hosts: [a.b, c.d], resolution: STATIC, ports: [{number: 80, name: a, protocol: TCP}]",
       "spec.ports[0]: several hosts need ports of HTTP, HTTPS or TLS, where a request names its host; write one "
       "ServiceEntry for each host"},
      {"hosts: [a.b], resolution: DNSS",
       "spec.resolution: \"DNSS\" is not known; did you mean DNS? Allowed: NONE, STATIC, DNS, DNS_ROUND_ROBIN or "
       "DYNAMIC_DNS"},
  };
  for (const auto& [spec, expected] : kCases) EXPECT_EQ(error_of(spec), expected) << spec;
}

TEST(ServiceEntry, NamesWhatIsNotEnforced) {
  const auto path_of = [](std::string_view spec) {
    const auto warnings = warnings_of(entry(spec));
    return warnings.size() == 1 ? warnings[0].path : std::to_string(warnings.size()) + " warnings";
  };
  EXPECT_EQ(path_of("hosts: [a.b], resolution: DNS"), "spec.resolution");
  EXPECT_EQ(path_of("hosts: [a.b]"), "spec.resolution");
  EXPECT_EQ(path_of("hosts: [a.b], resolution: STATIC, addresses: [10.0.0.0/8]"), "spec.addresses[0]");
  EXPECT_EQ(path_of("hosts: [a.b], resolution: STATIC, endpoints: [{address: 127.0.0.1, locality: a/b}]"),
            "spec.endpoints[0].locality");
  EXPECT_EQ(path_of("hosts: [a.b], resolution: STATIC, ports: [{number: 1, name: a, protocol: GRPC}]"),
            "spec.ports[0].protocol");
  EXPECT_THAT(warnings_of(entry("hosts: [a.b], resolution: STATIC, addresses: [10.0.0.1/32, '::1']")), IsEmpty());
}

}  // namespace
}  // namespace config
