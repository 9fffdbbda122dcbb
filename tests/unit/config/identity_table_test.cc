#include "config/compile/identity_table.h"

#include <gtest/gtest.h>

#include "config/compile/registry.h"
#include "tests/unit/config/support.h"

namespace config {
namespace {

TEST(IdentityTable, GivesTheSameNumberForTheSameStringsOnly) {
  IdentityTable table;
  WorkloadIdentity a, b;
  a.workload = "a";
  b.workload = "b";
  const auto id = table.workload_id(a);
  EXPECT_NE(id, 0);
  EXPECT_NE(table.workload_id(b), id);
  EXPECT_EQ(table.workload_id(a), id);
  Service service;
  service.host = "h";
  EXPECT_EQ(table.service_id(service), table.service_id(service));
  Service renamed = service;
  renamed.app = "other";
  EXPECT_NE(table.service_id(renamed), table.service_id(service));
  EXPECT_NE(table.pod_id("x"), table.pod_id("y"));
}

TEST(IdentityTable, DoesNotMixUpStringsThatJoinAlike) {
  IdentityTable table;
  WorkloadIdentity a, b;
  a.workload = "ab";
  a.workload_namespace = "c";
  b.workload = "a";
  b.workload_namespace = "bc";
  EXPECT_NE(table.workload_id(a), table.workload_id(b));
}

TEST(IdentityTable, KeepsNumbersAcrossReloads) {
  IdentityTable table;
  const Documents before = test::load(test::kGreeter + test::kClient);
  const CompileResult first = compile(before, 1, table);
  compile({}, 2, table);
  const CompileResult second = compile(before, 3, table);
  EXPECT_EQ(first.config.workloads.at(0).identity, second.config.workloads.at(0).identity);
  EXPECT_EQ(first.config.services, second.config.services);
  EXPECT_EQ(first.config.backends.at(0).endpoints, second.config.backends.at(0).endpoints);
}

TEST(Identity, FollowsTheOrderOfLabels) {
  const auto identity = [](const Labels& labels) { return identity_from_labels(labels, "w", "ns"); };
  EXPECT_EQ(identity({}).canonical_service, "w");
  EXPECT_EQ(identity({}).canonical_revision, "latest");
  EXPECT_EQ(identity({}).app, "unknown");
  EXPECT_EQ(identity({}).version, "unknown");
  EXPECT_EQ(identity({{"app", "a"}}).canonical_service, "a");
  EXPECT_EQ(identity({{"app", "a"}, {"app.kubernetes.io/name", "n"}}).canonical_service, "n");
  EXPECT_EQ(identity({{"app.kubernetes.io/name", "n"}, {"service.istio.io/canonical-name", "c"}}).canonical_service,
            "c");
  EXPECT_EQ(identity({{"version", "v1"}}).canonical_revision, "v1");
  EXPECT_EQ(identity({{"version", "v1"}, {"app.kubernetes.io/version", "2"}}).canonical_revision, "2");
  EXPECT_EQ(identity({{"service.istio.io/canonical-revision", "r"}, {"version", "v1"}}).canonical_revision, "r");
  EXPECT_EQ(identity({{"service.istio.io/workload-name", "named"}}).workload, "named");
}

}  // namespace
}  // namespace config
