#include "config/compile/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using test::backend_name;
using test::compile_text;
using test::destination_rule;
using test::find_backend;
using test::kClient;
using test::kGreeter;
using test::kSubsets;
using test::routes_of;
using test::virtual_service;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kHost = "greeter-service.default.svc.cluster.local";

TEST(Compile, GivesAServiceWithoutPolicyTheDefaultRoute) {
  const auto [config, findings] = compile_text(kGreeter + kClient);
  EXPECT_THAT(findings, IsEmpty());
  const auto routes = routes_of(config, "client", "greeter-service");
  ASSERT_THAT(routes, SizeIs(1));
  EXPECT_EQ(routes[0].name, "default");
  EXPECT_EQ(backend_name(config, routes[0]), "outbound|3000||" + kHost);
  EXPECT_EQ(routes[0].decorator_operation, kHost + ":3000/*");
  EXPECT_EQ(routes[0].retry, RetryPolicy{});
  EXPECT_EQ(routes[0].timeout, std::nullopt);
  const Backend* backend = find_backend(config, "outbound|3000||" + kHost);
  ASSERT_NE(backend, nullptr);
  ASSERT_THAT(backend->endpoints, SizeIs(3));
  EXPECT_EQ(backend->endpoints[1].address.to_string(), "127.0.0.1:9002");
  EXPECT_EQ(backend->endpoints[1].identity.version, "v2");
  EXPECT_EQ(config.services.at(backend->service).app, "greeter-service");
}

}  // namespace
}  // namespace config
