#include "config/istio/read_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using test::errors_of;
using test::load;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(ReadDocument, AcceptsEveryVersionOfIstiosKinds) {
  for (const std::string version : {"v1", "v1beta1", "v1alpha3"}) {
    const Documents documents = load("apiVersion: networking.istio.io/" + version +
                                     "\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n");
    ASSERT_THAT(documents.destination_rules, SizeIs(1)) << version;
    EXPECT_EQ(documents.destination_rules[0].host, "a.default.svc.cluster.local");
    EXPECT_EQ(documents.destination_rules[0].metadata.name_space, "default");
  }
}

TEST(ReadDocument, ExpandsOnlyNamesWithoutADot) {
  const std::pair<const char*, const char*> kCases[] = {
      {"a", "a.shop.svc.cluster.local"},    {"a.shop", "a.shop"}, {"a.example.com", "a.example.com"},
      {"'*.example.com'", "*.example.com"}, {"'*'", "*"},         {"'*-a'", "*-a.shop.svc.cluster.local"},
  };
  for (const auto& [host, expected] : kCases) {
    const Documents documents = load(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a, "
        "namespace: shop}\nspec: {host: " +
        std::string(host) + "}\n");
    EXPECT_EQ(documents.destination_rules.at(0).host, expected);
  }
}

TEST(ReadDocument, SaysWhatADocumentNeeds) {
  const std::pair<const char*, const char*> kCases[] = {
      {"- a\n", "test.yaml:1:1: a document must be a mapping with apiVersion, kind, metadata and spec"},
      {"a: 1\n", "test.yaml:1:1: apiVersion and kind are missing; every document needs both"},
      {"kind: Service\n", "test.yaml:1:1: apiVersion is missing; every document needs both"},
      {"apiVersion: v1\n", "test.yaml:1:1: kind is missing; every document needs both"},
      {"apiVersion: v1\nkind: [Service]\n", "test.yaml:2:7: kind: text is expected"},
      {"apiVersion: v1\nkind: List\n", "test.yaml:1:1: items is missing and required"},
      {"apiVersion: v1\nkind: List\nitems: {a: 1}\n", "test.yaml:3:8: items: a list of documents is expected"},
      {"apiVersion: v1\nkind: List\nitems: []\nitem: []\n",
       "test.yaml:4:1: item: is not a known field; did you mean items?"},
      {"apiVersion: v1\nkind: VirtualServise\nmetadata: {name: a}\n",
       "test.yaml:2:7: kind: \"VirtualServise\" is not a kind that Fairlead reads; did you mean VirtualService?"},
      {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
       "test.yaml:2:7: kind: \"ConfigMap\" is not a kind that Fairlead reads; it reads VirtualService, "
       "DestinationRule, "
       "ServiceEntry, Service, EndpointSlice, Workload and Settings"},
      {"apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: {name: a}\n",
       "test.yaml:1:13: apiVersion: \"networking.istio.io/v2\" is not a version of VirtualService; allowed: "
       "networking.istio.io/v1, networking.istio.io/v1beta1, networking.istio.io/v1alpha3"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nspec: {}\n",
       "test.yaml:1:1: metadata is missing and required"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {}\nspec: {}\n",
       "test.yaml:3:11: metadata: name is missing and required"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: A_b}\nspec: {}\n",
       "test.yaml:3:18: metadata.name: \"A_b\" is not a name: lower-case letters, digits, - and . are allowed"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: a, namespace: a.b}\nspec: {}\n",
       "test.yaml:3:32: metadata.namespace: \"a.b\" is not a namespace"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: a, labels: {app: a b}}\nspec: {}\n",
       "test.yaml:3:35: metadata.labels.app: the label's value \"a b\" is not allowed; letters, digits and inner -_. "
       "are, "
       "at most 63"},
      {"apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: a}\n",
       "test.yaml:1:1: spec is missing and required"},
      {"a: [\n", "test.yaml:2:1: a [ is not closed with ], or a comma is missing"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto errors = errors_of(text);
    ASSERT_FALSE(errors.empty()) << text;
    EXPECT_EQ(errors[0], expected) << text;
  }
}

TEST(ReadDocument, ReportsEverythingThatIsWrongAtOnce) {
  EXPECT_THAT(errors_of(test::destination_rule("trafficPolicy:\n  connectionPool: {tcp: {maxConnections: x, "
                                               "connectTimeout: 3}}\nsubset: []\n")),
              SizeIs(3));
}

TEST(ReadDocument, KeepsGatewayRulesOutOfTheMeshAndSaysSo) {
  const std::string text =
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {hosts: "
      "['*'], gateways: [edge], http: [{route: [{destination: {host: a}}]}]}\n";
  const auto warnings = test::warnings_of(text);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].to_string(),
            "test.yaml:4:32: spec.gateways: gateways are not enforced: add mesh for the clients of a node");
}

TEST(ReadDocument, SaysThatDelegatesHaveNoEffect) {
  const auto lines = [](const std::string& spec) {
    std::vector<std::string> result;
    for (const Finding& finding : test::warnings_of(
             "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: " + spec + "\n")) {
      result.push_back(finding.to_string());
    }
    return result;
  };
  EXPECT_THAT(
      lines("{http: [{route: [{destination: {host: a}}]}]}"),
      ElementsAre("test.yaml:4:7: spec: has no hosts, which makes it a delegate; those are not enforced by this "
                  "version of Fairlead: add hosts"));
  EXPECT_THAT(
      lines("{hosts: [a], http: [{delegate: {name: d}}]}"),
      ElementsAre("test.yaml:4:28: spec.http[0].delegate: is not enforced by this version of Fairlead: the rule "
                  "is left out, so its requests meet the rules below it"));
}

}  // namespace
}  // namespace config
