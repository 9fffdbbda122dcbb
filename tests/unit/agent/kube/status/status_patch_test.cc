#include "agent/kube/status/status_patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace agent::kube {
namespace {

namespace json = boost::json;
using config::DocumentState;
using config::Severity;
using ::testing::HasSubstr;

const base::WallTime kNow = base::WallTime() + std::chrono::seconds(1'700'000'000);

config::Finding finding(Severity severity, std::string_view code, std::string path, std::string message) {
  return {.severity = severity,
          .code = std::string(code),
          .document = "VirtualService shop/web",
          .file = "kubernetes",
          .path = std::move(path),
          .message = std::move(message)};
}
Verdict rejected() {
  return {.state = DocumentState::rejected,
          .findings = {finding(Severity::error, config::kInvalidDocument, "spec.http[0].timeout", "has no unit")}};
}
Verdict partial() {
  return {.state = DocumentState::partial,
          .findings = {finding(Severity::warning, config::kNotEnforced, "spec.tcp", "is not enforced"),
                       finding(Severity::warning, config::kNotEnforced, "spec.tls", "is not enforced")}};
}

json::object object(const std::string& status) {
  return json::parse(R"({"metadata":{"name":"web","generation":3,"resourceVersion":"77"},"status":)" + status + "}")
      .as_object();
}

// What the API server makes of a merge patch, as far as these tests need it: members of status are replaced.
json::object merged(json::object object, const StatusPatch& patch) {
  const json::value body = json::parse(patch.body);
  if (!object["status"].is_object()) object["status"] = json::object();
  for (const auto& [key, value] : body.at("status").as_object()) {
    if (value.is_null()) {
      object["status"].as_object().erase(key);
    } else {
      object["status"].as_object()[key] = value;
    }
  }
  return object;
}
json::object after(const std::string& status, const Verdict& verdict) {
  const auto patch = status_patch(object(status), verdict, kNow);
  return patch ? merged(object(status), *patch).at("status").as_object() : json::object();
}

TEST(StatusPatch, SaysThatAPolicyIsAccepted) {
  EXPECT_EQ(after("null", {}), json::parse(R"({"observedGeneration":3,"conditions":[{"type":"fairlead.dev/Accepted",
    "status":"True","reason":"Accepted","message":"","observedGeneration":3,
    "lastTransitionTime":"2023-11-14T22:13:20Z"}]})")
                                   .as_object());
}

TEST(StatusPatch, SaysWhatIsWrongAndWhere) {
  const json::object status = after("{}", rejected());
  const json::value& condition = status.at("conditions").at(0);
  EXPECT_EQ(condition.at("status").as_string(), "False");
  EXPECT_EQ(condition.at("reason").as_string(), "Rejected");
  EXPECT_EQ(condition.at("message").as_string(),
            "spec.http[0].timeout: has no unit. The last good version stays in force where it was known.");
  EXPECT_EQ(status.at("validationMessages"),
            json::parse(R"([{"type":{"code":"FL0100","name":"InvalidDocument"},"level":"ERROR"}])"));
}

TEST(StatusPatch, SaysWhatIsNotEnforcedOncePerKind) {
  const json::object status = after("{}", partial());
  EXPECT_EQ(status.at("conditions").at(0).at("status").as_string(), "True");
  EXPECT_EQ(status.at("conditions").at(0).at("reason").as_string(), "PartlyEnforced");
  EXPECT_EQ(status.at("conditions").at(0).at("message").as_string(),
            "spec.tcp: is not enforced; spec.tls: is not enforced");
  EXPECT_EQ(status.at("validationMessages").as_array().size(), 1U);
}

TEST(StatusPatch, ComesToAnEnd) {
  for (const Verdict& verdict : {Verdict{}, rejected(), partial(), Verdict{.state = DocumentState::inactive}}) {
    for (const char* before : {"null", "{}", R"({"conditions":[{"type":"Reconciled","status":"True"}],
         "observedGeneration":"2","validationMessages":[{"type":{"code":"IST0101"},"level":"ERROR"}],"own":[1]})",
                               R"({"conditions":7,"validationMessages":"x","observedGeneration":{}})", "[]"}) {
      const auto patch = status_patch(object(before), verdict, kNow);
      ASSERT_TRUE(patch) << before;
      EXPECT_FALSE(status_patch(merged(object(before), *patch), verdict, kNow + std::chrono::hours(1))) << before;
    }
  }
}

TEST(StatusPatch, KeepsWhatOthersWrote) {
  const json::object status = after(R"({"conditions":[{"type":"Reconciled","status":"True","extra":1}],
    "validationMessages":[{"type":{"code":"IST0101"},"level":"ERROR"}],"own":[1]})",
                                    rejected());
  EXPECT_EQ(status.at("conditions").as_array().size(), 2U);
  EXPECT_EQ(status.at("conditions").at(0), json::parse(R"({"type":"Reconciled","status":"True","extra":1})"));
  EXPECT_EQ(status.at("validationMessages").as_array().size(), 2U);
  EXPECT_EQ(status.at("own"), json::parse("[1]"));
}

TEST(StatusPatch, TakesBackItsOwnMessagesAlone) {
  const json::object status = after(R"({"validationMessages":[{"type":{"code":"IST0101"},"level":"ERROR"},
    {"type":{"code":"FL0100","name":"InvalidDocument"},"level":"ERROR"}]})",
                                    {});
  EXPECT_EQ(status.at("validationMessages"), json::parse(R"([{"type":{"code":"IST0101"},"level":"ERROR"}])"));
  const json::object without = after(R"({"validationMessages":[{"type":{"code":"FL0100"},"level":"ERROR"}]})", {});
  EXPECT_FALSE(without.contains("validationMessages"));
}

TEST(StatusPatch, KeepsTheTimeOfTheLastTransition) {
  const std::string before = R"({"conditions":[{"type":"fairlead.dev/Accepted","status":"False","reason":"Rejected",
    "message":"something else","observedGeneration":2,"lastTransitionTime":"2020-01-01T00:00:00Z"}]})";
  EXPECT_EQ(after(before, rejected()).at("conditions").at(0).at("lastTransitionTime").as_string(),
            "2020-01-01T00:00:00Z");
  EXPECT_EQ(after(before, {}).at("conditions").at(0).at("lastTransitionTime").as_string(), "2023-11-14T22:13:20Z");
}

TEST(StatusPatch, IsNewsOnlyWhenTheConditionChanges) {
  const std::string ours = R"({"type":"fairlead.dev/Accepted","status":"True","reason":"Accepted","message":"",
    "observedGeneration":3,"lastTransitionTime":"2020-01-01T00:00:00Z"})";
  const auto number_only = status_patch(object(R"({"conditions":[)" + ours + "]}"), {}, kNow);
  ASSERT_TRUE(number_only);
  EXPECT_FALSE(number_only->is_news);
  EXPECT_FALSE(json::parse(number_only->body).at("status").as_object().contains("conditions"));
  EXPECT_TRUE(status_patch(object("{}"), {}, kNow)->is_news);
}

TEST(StatusPatch, IsForTheVersionThatWasLookedAt) {
  EXPECT_EQ(json::parse(status_patch(object("{}"), {}, kNow)->body).at("metadata"),
            json::parse(R"({"resourceVersion":"77"})"));
}

TEST(StatusPatch, TakesAGenerationThatIsText) {
  const std::string text = R"({"observedGeneration":"3","conditions":[{"type":"fairlead.dev/Accepted","status":"True",
    "reason":"Accepted","message":"","observedGeneration":"3"}]})";
  EXPECT_FALSE(status_patch(object(text), {}, kNow));
}

TEST(StatusPatch, NamesAFewOfManyFindings) {
  Verdict verdict{.state = DocumentState::partial};
  for (int i = 0; i < 100; ++i) {
    verdict.findings.push_back(finding(Severity::warning, config::kNotEnforced, "spec.x", std::string(2000, 'm')));
  }
  const Condition condition = condition_of(verdict);
  EXPECT_THAT(condition.message, HasSubstr("; and 92 more"));
  EXPECT_LT(condition.message.size(), 5000U);
}

}  // namespace
}  // namespace agent::kube
