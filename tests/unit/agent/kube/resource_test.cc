#include "agent/kube/resource.h"

#include <gtest/gtest.h>

namespace agent::kube {
namespace {

const Resource kPods{.version = "v1", .plural = "pods", .field_selector = "spec.nodeName=node-1"};
const Resource kRules{
    .group = "networking.istio.io", .version = "v1", .plural = "destinationrules", .name_space = "shop"};

TEST(ResourceTest, IsFoundUnderApiOrUnderItsGroup) {
  EXPECT_EQ(collection_path(kPods), "/api/v1/pods");
  EXPECT_EQ(collection_path(kRules), "/apis/networking.istio.io/v1/namespaces/shop/destinationrules");
}

TEST(ResourceTest, IsNamedAsInRbac) {
  EXPECT_EQ(to_string(kPods), "pods");
  EXPECT_EQ(to_string(kRules), "destinationrules.networking.istio.io");
}

TEST(ResourceTest, IsListedInPages) {
  EXPECT_EQ(list_target(kPods, 500, ""), "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&limit=500");
  EXPECT_EQ(list_target(kRules, 20, "a+/="),
            "/apis/networking.istio.io/v1/namespaces/shop/destinationrules?limit=20&continue=a%2B%2F%3D");
}

TEST(ResourceTest, IsWatchedWithBookmarksFromAVersion) {
  EXPECT_EQ(watch_target(kRules, "42", std::chrono::seconds(300)),
            "/apis/networking.istio.io/v1/namespaces/shop/destinationrules"
            "?watch=1&allowWatchBookmarks=true&resourceVersion=42&timeoutSeconds=300");
}

TEST(ResourceTest, CannotBeMadeToNameAnotherPath) {
  EXPECT_EQ(collection_path({.version = "v1", .plural = "pods", .name_space = "a/../../b?c#d"}),
            "/api/v1/namespaces/a%2F..%2F..%2Fb%3Fc%23d/pods");
  EXPECT_EQ(list_target({.version = "v1", .plural = "pods", .label_selector = "a in (b,c)&limit=9"}, 1, ""),
            "/api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29%26limit%3D9&limit=1");
}

TEST(ResourceTest, MayBeAskedForWithoutSpecAndStatus) {
  EXPECT_EQ(list_media_type(kPods), "application/json");
  EXPECT_EQ(list_media_type({.is_metadata_only = true}),
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  EXPECT_EQ(watch_media_type({.is_metadata_only = true}),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
}

}  // namespace
}  // namespace agent::kube
