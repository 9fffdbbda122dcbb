#include <gtest/gtest.h>

#include "config/compile/registry.h"

namespace config {
namespace {

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
