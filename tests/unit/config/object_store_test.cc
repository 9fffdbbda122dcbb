#include "config/object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml/parse.h"

namespace config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

yaml::Value parse(const std::string& text) { return *yaml::parse(text).front().value; }

yaml::Value virtual_service(const std::string& name, const std::string& timeout = "1s") {
  return parse("{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: " + name +
               ", namespace: shop}, spec: {hosts: [" + name + "], http: [{timeout: " + timeout +
               ", route: [{destination: {host: " + name + "}}]}]}}");
}

DocumentId id(const std::string& name) { return {"VirtualService", "shop", name}; }

class ObjectStoreTest : public ::testing::Test {
 protected:
  std::vector<std::string> in_force() const {
    Documents documents;
    store_.add_to(documents);
    std::vector<std::string> names;
    for (const VirtualService& service : documents.virtual_services) {
      names.push_back(service.metadata.name + " " + std::to_string(service.http.front().timeout->count()));
    }
    return names;
  }
  ObjectStore store_{"kubernetes", "cluster.local"};
};

TEST_F(ObjectStoreTest, FollowsObjectsAsTheyComeAndGo) {
  EXPECT_TRUE(store_.upsert(virtual_service("a")));
  EXPECT_TRUE(store_.upsert(virtual_service("b")));
  EXPECT_TRUE(store_.upsert(virtual_service("a", "2s")));
  EXPECT_THAT(in_force(), ElementsAre("a 2000", "b 1000"));
  store_.erase(id("a"));
  EXPECT_THAT(in_force(), ElementsAre("b 1000"));
}

TEST_F(ObjectStoreTest, KeepsTheLastGoodVersionOfOneThatIsRefused) {
  store_.upsert(virtual_service("a"));
  EXPECT_FALSE(store_.upsert(virtual_service("a", "5")));
  EXPECT_THAT(in_force(), ElementsAre("a 1000"));
  ASSERT_THAT(store_.findings(id("a")), SizeIs(1));
  ASSERT_THAT(store_.statuses(), SizeIs(1));
  EXPECT_EQ(store_.statuses()[0].state, DocumentState::rejected);
  EXPECT_TRUE(store_.statuses()[0].is_in_force);

  EXPECT_TRUE(store_.upsert(virtual_service("a", "3s")));
  EXPECT_THAT(store_.findings(), IsEmpty());
  EXPECT_THAT(in_force(), ElementsAre("a 3000"));
  ASSERT_THAT(store_.rejects(), SizeIs(1));
  EXPECT_EQ(store_.rejects()[0].count, 1U);
}

TEST_F(ObjectStoreTest, AnObjectThatWasNeverGoodIsNotInForceAndDisturbsNobody) {
  store_.upsert(virtual_service("a"));
  EXPECT_FALSE(store_.upsert(virtual_service("b", "5")));
  EXPECT_THAT(in_force(), ElementsAre("a 1000"));
  ASSERT_THAT(store_.statuses(), SizeIs(2));
  EXPECT_FALSE(store_.statuses()[1].is_in_force);
}

TEST_F(ObjectStoreTest, AFindingNamesTheObjectWhereAFileWouldHaveALine) {
  yaml::Value object = virtual_service("a", "5");
  const auto unmark = [](const auto& self, yaml::Value& value) -> void {
    value.mark = {0, 0};
    for (yaml::Value& item : value.items) self(self, item);
    for (yaml::Member& member : value.members) self(self, member.value);
  };
  unmark(unmark, object);
  store_.upsert(object);
  ASSERT_THAT(store_.findings(), SizeIs(1));
  EXPECT_THAT(store_.findings()[0].to_string(), HasSubstr("kubernetes: VirtualService shop/a: spec.http[0].timeout: "));
}

}  // namespace
}  // namespace config
