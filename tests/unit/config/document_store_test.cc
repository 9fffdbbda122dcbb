#include "config/document_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string rule(const std::string& name, const std::string& timeout) {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name +
         "}\nspec: {hosts: [" + name + "], http: [{timeout: " + timeout + ", route: [{destination: {host: a}}]}]}\n";
}

void update(DocumentStore& store, std::vector<SourceFile> files) { store.update(files); }

std::vector<std::string> timeouts(const DocumentStore& store) {
  std::vector<std::string> result;
  for (const VirtualService& service : store.documents().virtual_services) {
    result.push_back(service.metadata.name + "=" + std::to_string(service.http.at(0).timeout->count()));
  }
  return result;
}

DocumentState state_of(const DocumentStore& store, std::string_view name) {
  for (const DocumentStatus& status : store.statuses()) {
    if (status.id.name == name) return status.state;
  }
  ADD_FAILURE() << "no status of " << name;
  return DocumentState::active;
}

std::vector<std::string> texts_of(const std::vector<Finding>& findings) {
  std::vector<std::string> texts;
  for (const Finding& finding : findings) texts.push_back(finding.file + ": " + finding.message);
  return texts;
}

TEST(DocumentStore, TakesNewVersions) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s")}});
  update(store, {{"f", rule("a", "2s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=2000"));
  EXPECT_FALSE(store.has_errors());
}

TEST(DocumentStore, KeepsTheLastGoodVersionOfABadDocumentOnly) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s") + rule("b", "1s")}, {"g", rule("c", "1s")}});
  update(store, {{"f", rule("a", "0s") + rule("b", "2s")}, {"g", rule("c", "3s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=1000", "b=2000", "c=3000"));
  EXPECT_TRUE(store.has_errors());
  EXPECT_EQ(state_of(store, "a"), DocumentState::rejected);
  EXPECT_TRUE(store.statuses().at(0).is_in_force);
  EXPECT_EQ(state_of(store, "b"), DocumentState::active);
  // Still bad, still the same version; then good again.
  update(store, {{"f", rule("a", "oops") + rule("b", "2s")}, {"g", rule("c", "3s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=1000", "b=2000", "c=3000"));
  update(store, {{"f", rule("a", "9s") + rule("b", "2s")}, {"g", rule("c", "3s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=9000", "b=2000", "c=3000"));
  EXPECT_FALSE(store.has_errors());
}

TEST(DocumentStore, HasNothingToKeepOfADocumentThatWasNeverGood) {
  DocumentStore store;
  update(store, {{"f", rule("a", "0s") + rule("b", "2s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("b=2000"));
  EXPECT_FALSE(store.statuses().at(0).is_in_force);
}

TEST(DocumentStore, KeepsAFilesDocumentsWhenOneOfThemCannotEvenBeRead) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s") + rule("b", "1s")}, {"g", rule("c", "1s")}});
  update(store, {{"f", "---\n{broken: [\n" + rule("b", "2s")}, {"g", rule("c", "2s")}});
  EXPECT_THAT(timeouts(store), ::testing::UnorderedElementsAre("a=1000", "b=2000", "c=2000"));
  ASSERT_THAT(store.findings(), SizeIs(1));
  EXPECT_EQ(store.findings()[0].reason, Reason::syntax);
  EXPECT_EQ(state_of(store, "a"), DocumentState::rejected);
  EXPECT_EQ(store.statuses().at(0).id.kind, "unknown");
}

TEST(DocumentStore, ForgetsWhatWasDeleted) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s") + rule("b", "1s")}, {"g", rule("c", "1s")}});
  update(store, {{"f", rule("b", "1s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("b=1000"));
  update(store, {});
  EXPECT_THAT(timeouts(store), IsEmpty());
  EXPECT_THAT(store.statuses(), IsEmpty());
}

TEST(DocumentStore, FollowsADocumentThatMovesToAnotherFile) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s")}});
  update(store, {{"g", rule("a", "2s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=2000"));
}

TEST(DocumentStore, RefusesTheSecondOfTwoWithOneName) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s")}, {"g", rule("a", "2s")}});
  EXPECT_THAT(timeouts(store), ElementsAre("a=1000"));
  ASSERT_THAT(store.findings(), SizeIs(1));
  EXPECT_EQ(store.findings()[0].reason, Reason::conflict);
  EXPECT_EQ(store.findings()[0].to_string(),
            "g:2:1: VirtualService default/a is there already, at f:2; remove one of them");
}

TEST(DocumentStore, TellsPartialAndInactiveDocumentsApart) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s") + R"(
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: partial}
spec: {hosts: [p], http: [{mirror: {host: m}, route: [{destination: {host: a}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: gateway}
spec: {hosts: [g], gateways: [edge], http: [{route: [{destination: {host: a}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: dns}
spec: {hosts: [a.b], resolution: DNS}
)"}});
  EXPECT_EQ(state_of(store, "a"), DocumentState::active);
  EXPECT_EQ(state_of(store, "partial"), DocumentState::partial);
  EXPECT_EQ(state_of(store, "gateway"), DocumentState::inactive);
  EXPECT_EQ(state_of(store, "dns"), DocumentState::inactive);
}

TEST(DocumentStore, PutsErrorsBeforeRemarks) {
  DocumentStore store;
  update(store, {{"f", rule("a", "1s}, {mirror: {host: m}") + rule("b", "0s")}});
  ASSERT_FALSE(store.findings().empty());
  EXPECT_EQ(store.findings().front().severity, Severity::error);
}

TEST(DocumentStore, ReadsTheItemsOfAListThatIsNotQuiteRight) {
  const std::string items =
      "apiVersion: v1\nkind: List\nitems:\n"
      "- {apiVersion: fairlead.dev/v1alpha1, kind: Settings, metadata: {name: s}, spec: {cluster: {domain: "
      "node.test}}}\n"
      "- {apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: {host: a}}\n"
      "- 3\n";
  DocumentStore store;
  update(store, {{"f", items + "colour: blue\n"}});
  std::vector<std::string> errors;
  for (const Finding& finding : store.findings()) errors.push_back(finding.to_string());
  EXPECT_THAT(errors,
              ElementsAre("f:7:1: colour: is not a known field; known here: apiVersion, items, kind or metadata",
                          "f:6:3: a document must be a mapping with apiVersion, kind, metadata and spec"));
  ASSERT_THAT(store.documents().destination_rules, SizeIs(1));
  EXPECT_EQ(store.documents().destination_rules[0].host, "a.default.svc.node.test");
}

// What was read before is used again only where that makes no difference.
TEST(DocumentStore, IsTheSameAfterManyChangesAsIfItHadBeenReadAtOnce) {
  base::Random random(7);
  const auto some_file = [&](const std::string& name) {
    switch (random.below(5)) {
      case 0:
        return std::string(
                   "apiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: s}\nspec: {cluster: "
                   "{domain: ") +
               (random.below(2) == 0 ? "one.example" : "other.example") + "}}\n";
      case 1:
        return rule(name, "1s") + "---\n: nonsense {\n";
      default:
        return rule(name, std::to_string(1 + random.below(3)) + "s") + rule(name + "-also", "5s");
    }
  };
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  std::map<std::string, std::string> files;
  DocumentStore store;
  for (int i = 0; i < 300; ++i) {
    const std::string& name = names[random.below(names.size())];
    if (random.below(5) == 0) {
      files.erase(name);
    } else {
      files[name] = some_file(name);
    }
    std::vector<SourceFile> now;
    for (const auto& [file, text] : files) now.push_back({.name = file, .text = text});
    store.update(now);
    const LoadResult fresh = load_documents(now);
    ASSERT_EQ(texts_of(store.findings()), texts_of(fresh.findings)) << "change " << i;
    for (const VirtualService& wanted : fresh.documents.virtual_services) {
      const auto found = std::ranges::find(store.documents().virtual_services, wanted.metadata.name,
                                           [](const auto& each) { return each.metadata.name; });
      ASSERT_NE(found, store.documents().virtual_services.end()) << wanted.metadata.name;
      EXPECT_EQ(found->hosts, wanted.hosts) << "change " << i;
      EXPECT_EQ(found->http.at(0).timeout, wanted.http.at(0).timeout) << "change " << i;
    }
  }
}

}  // namespace
}  // namespace config
