#include "agent/kube/policy_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace agent::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

boost::json::object service(const std::string& name, int generation, const std::string& timeout = "1s",
                            const std::string& status = "{}", const std::string& uid = "u") {
  return boost::json::parse(R"({"metadata":{"name":")" + name + R"(","namespace":"shop","uid":")" + uid +
                            R"(","generation":)" + std::to_string(generation) +
                            R"(},"spec":{"hosts":["web"],"http":[{"timeout":")" + timeout +
                            R"(","route":[{"destination":{"host":"web"}}]}]},"status":)" + status + "}")
      .as_object();
}

class PolicySinkTest : public ::testing::Test {
 protected:
  std::vector<std::string> names() {
    config::Documents documents;
    store_.add_to(documents);
    std::vector<std::string> names;
    for (const auto& each : documents.virtual_services) names.push_back(each.metadata.name);
    return names;
  }
  config::ObjectStore store_{"kubernetes", "cluster.local"};
  int changes_ = 0;
  PolicySink sink_{{.group = "networking.istio.io", .version = "v1", .plural = "virtualservices"},
                   "VirtualService",
                   store_,
                   nullptr,
                   [this] { ++changes_; }};
};

TEST_F(PolicySinkTest, TakesPoliciesAndTheirEnd) {
  sink_.upsert(service("a", 1));
  sink_.upsert(service("b", 1));
  EXPECT_THAT(names(), ElementsAre("a", "b"));
  sink_.erase(service("a", 1));
  EXPECT_THAT(names(), ElementsAre("b"));
}

TEST_F(PolicySinkTest, AChangeOfTheStatusChangesNothing) {
  sink_.upsert(service("a", 1));
  const int before = changes_;
  sink_.upsert(service("a", 1, "1s", R"({"observedGeneration":1})"));
  EXPECT_EQ(changes_, before);
  sink_.upsert(service("a", 2, "2s"));
  EXPECT_EQ(changes_, before + 1);
}

TEST_F(PolicySinkTest, AnotherObjectOfTheSameNameIsRead) {
  sink_.upsert(service("a", 1, "1s", "{}", "first"));
  const int before = changes_;
  sink_.upsert(service("a", 1, "2s", "{}", "second"));
  EXPECT_EQ(changes_, before + 1);
}

TEST_F(PolicySinkTest, ARefusedVersionCountsOnceHoweverOftenItComes) {
  sink_.upsert(service("a", 1));
  for (int i = 0; i < 3; ++i) sink_.upsert(service("a", 2, "5"));
  EXPECT_THAT(names(), ElementsAre("a")) << "the last good one stays";
  ASSERT_EQ(store_.rejects().size(), 1U);
  EXPECT_EQ(store_.rejects()[0].count, 1U);
}

TEST_F(PolicySinkTest, ReadsAnObjectInTheVersionInWhichItComes) {
  for (const char* version : {"v1", "v1beta1", "v1alpha3"}) {
    boost::json::object object = service(version, 1);
    object["apiVersion"] = "networking.istio.io/" + std::string(version);
    sink_.upsert(object);
  }
  EXPECT_THAT(names(), ElementsAre("v1", "v1alpha3", "v1beta1"));
}

TEST_F(PolicySinkTest, AListIsEverythingThereIs) {
  sink_.upsert(service("a", 1));
  sink_.upsert(service("b", 1));
  sink_.replacing();
  sink_.upsert(service("b", 1));
  EXPECT_THAT(names(), ElementsAre("a", "b")) << "nothing goes before the list is complete";
  sink_.replaced();
  EXPECT_THAT(names(), ElementsAre("b"));
  sink_.replacing();
  sink_.replaced();
  EXPECT_THAT(names(), IsEmpty());
}

}  // namespace
}  // namespace agent::kube
