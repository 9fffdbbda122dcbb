#include "config/yaml/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml/parse.h"

namespace config::yaml {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kWords[] = {"ROUND_ROBIN", "RANDOM"};
constexpr Field kInner[] = {{.name = "deep", .is_required = true}, {.name = "count", .type = Type::integer}};
constexpr Field kFields[] = {
    {.name = "text"},
    {.name = "number", .type = Type::number, .min = 0, .max = 100},
    {.name = "attempts", .type = Type::integer, .min = 0, .max = 10},
    {.name = "atLeast", .type = Type::integer, .min = 5},
    {.name = "flag", .type = Type::boolean},
    {.name = "timeout", .type = Type::duration},
    {.name = "pause", .type = Type::duration, .min = 0, .max = 1000},
    {.name = "policy", .type = Type::word, .words = kWords},
    {.name = "inner", .type = Type::object, .fields = kInner},
    {.name = "names", .type = Type::text_list},
    {.name = "codes", .type = Type::integer_list, .min = 100, .max = 599},
    {.name = "inners", .type = Type::object_list, .fields = kInner},
    {.name = "labels", .type = Type::text_map},
    {.name = "ports", .type = Type::integer_map, .min = 1, .max = 65535},
    {.name = "anything", .type = Type::any},
    {.name = "mirror", .type = Type::object, .fields = kInner, .support = Support::not_enforced, .note = "no copies"},
};

std::vector<std::string> check_text(std::string_view text) {
  const auto documents = parse(text);
  if (documents.size() != 1 || !documents[0].value) return {"not parsed"};
  Report report("f.yaml", "");
  check(Node(*documents[0].value), kFields, report);
  std::vector<std::string> lines;
  for (const Finding& finding : report.findings()) lines.push_back(finding.to_string());
  return lines;
}

TEST(Schema, AcceptsWhatFits) {
  EXPECT_THAT(check_text("text: a\nnumber: 2.5\nattempts: 3\nflag: true\ntimeout: 0.5s\npause: 0s\npolicy: RANDOM\n"
                         "inner: {deep: x}\nnames: [a, '3']\ncodes: [503]\ninners: [{deep: z}]\nlabels: {a: b}\n"
                         "ports: {http: 80}\nanything: [{x: 1}]\n"),
              IsEmpty());
}

TEST(Schema, TakesNullForAbsent) { EXPECT_THAT(check_text("text:\ninner: ~\nnames: null\n"), IsEmpty()); }

TEST(Schema, NamesPlaceFieldReasonAndRemedy) {
  const std::pair<const char*, const char*> kCases[] = {
      {"text: 3", "f.yaml:1:7: text: 3 is a number where text is expected; put it in quotes: \"3\""},
      {"text: yes", "f.yaml:1:7: text: yes is a boolean where text is expected; put it in quotes: \"yes\""},
      {"text: [a]", "f.yaml:1:7: text: this is a list; text is expected"},
      {"number: '3'", "f.yaml:1:9: number: \"3\" is quoted text; a number without quotes is expected"},
      {"number: 101", "f.yaml:1:9: number: 101 is out of range; allowed is 0 to 100"},
      {"number: .nan", "f.yaml:1:9: number: .nan is out of range; allowed is 0 to 100"},
      {"attempts: -1", "f.yaml:1:11: attempts: -1 is out of range; allowed is 0 to 10"},
      {"attempts: \"3\"", "f.yaml:1:11: attempts: \"3\" is quoted text; a whole number without quotes is expected"},
      {"attempts: 1.5", "f.yaml:1:11: attempts: 1.5 is a number; a whole number without quotes is expected"},
      {"attempts: 99999999999999999999",
       "f.yaml:1:11: attempts: 99999999999999999999 is out of range; allowed is 0 to 10"},
      {"atLeast: 4", "f.yaml:1:10: atLeast: 4 is out of range; allowed is at least 5"},
      {"attempts: 010", "f.yaml:1:11: attempts: \"010\" begins with 0, which some take for octal; write it without"},
      {"atLeast: -9223372036854775809",
       "f.yaml:1:10: atLeast: -9223372036854775809 is out of range; allowed is at least 5"},
      {"number: 1e999", "f.yaml:1:9: number: 1e999 is out of range; allowed is 0 to 100"},
      {"number: yes", "f.yaml:1:9: number: yes is a boolean; a number without quotes is expected"},
      {"flag: maybe", "f.yaml:1:7: flag: \"maybe\" is text; true or false is expected"},
      {"flag: 1", "f.yaml:1:7: flag: 1 is a number; true or false is expected"},
      {"flag: yes", "f.yaml:1:7: flag: \"yes\" must be written as true or false"},
      {"timeout: 5", "f.yaml:1:10: timeout: \"5\" has no unit; write for example 500ms or 2s"},
      {"timeout: 0", "f.yaml:1:10: timeout: \"0\" has no unit; write for example 500ms or 2s"},
      {"timeout: 0s",
       "f.yaml:1:10: timeout: \"0s\" is too short; allowed is at least 1ms; leave the field out for no limit"},
      {"timeout: -3s",
       "f.yaml:1:10: timeout: \"-3s\" is too short; allowed is at least 1ms; leave the field out for no limit"},
      {"timeout: 1.5ms",
       "f.yaml:1:10: timeout: \"1.5ms\" is finer than a millisecond; write a whole number of milliseconds"},
      {"timeout: {}", "f.yaml:1:10: timeout: this is a mapping; a duration such as 500ms or 2s is expected"},
      {"pause: 2s", "f.yaml:1:8: pause: \"2s\" is too long; allowed is at most 1000ms"},
      {"pause: -1ms", "f.yaml:1:8: pause: \"-1ms\" is too short; allowed is at least 0ms"},
      {"policy: ROUND_ROBBIN",
       "f.yaml:1:9: policy: \"ROUND_ROBBIN\" is not known; did you mean ROUND_ROBIN? Allowed: ROUND_ROBIN or RANDOM"},
      {"policy: BEST", "f.yaml:1:9: policy: \"BEST\" is not known; allowed: ROUND_ROBIN or RANDOM"},
      {"inner: x", "f.yaml:1:8: inner: \"x\" is text; a mapping is expected"},
      {"inner: {}", "f.yaml:1:8: inner: deep is missing and required"},
      {"inner: {deep: ''}", "f.yaml:1:15: inner.deep: is empty; a value is required"},
      {"inner: {dep: x, deep: y}", "f.yaml:1:9: inner.dep: is not a known field; did you mean deep?"},
      {"inner: {qqqqqq: x, deep: y}", "f.yaml:1:9: inner.qqqqqq: is not a known field; known here: count or deep"},
      {"names: a", "f.yaml:1:8: names: \"a\" is text; a list is expected"},
      {"names: [a, ~]", "f.yaml:1:12: names[1]: this element is empty; remove it or give it a value"},
      {"names:\n- a\n- 2", "f.yaml:3:3: names[1]: 2 is a number where text is expected; put it in quotes: \"2\""},
      {"codes: [503, 600]", "f.yaml:1:14: codes[1]: 600 is out of range; allowed is 100 to 599"},
      {"inners: [{deep: a}, {count: x}]",
       "f.yaml:1:29: inners[1].count: \"x\" is text; a whole number without quotes is expected"},
      {"labels: {version: 1}",
       "f.yaml:1:19: labels.version: 1 is a number where text is expected; put it in quotes: \"1\""},
      {"labels: [a]", "f.yaml:1:9: labels: this is a list; a mapping is expected"},
      {"ports: {http: 0}", "f.yaml:1:15: ports.http: 0 is out of range; allowed is 1 to 65535"},
      {"atempts: 3", "f.yaml:1:1: atempts: is not a known field; did you mean attempts?"},
      {"txet: x", "f.yaml:1:1: txet: is not a known field; did you mean text?"},
      {"TEXT: x", "f.yaml:1:1: TEXT: is not a known field; did you mean text?"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto lines = check_text(text);
    ASSERT_FALSE(lines.empty()) << text;
    EXPECT_EQ(lines.front(), expected);
  }
}

TEST(Schema, NamesWhatIsNotEnforcedOnceAndStillChecksIt) {
  EXPECT_THAT(check_text("mirror: {deep: x}"),
              ElementsAre("f.yaml:1:1: mirror: is not enforced by this version of Fairlead: no copies"));
  EXPECT_THAT(check_text("mirror: {deap: x}"),
              ElementsAre("f.yaml:1:10: mirror.deap: is not a known field; did you mean deep?",
                          "f.yaml:1:9: mirror: deep is missing and required",
                          "f.yaml:1:1: mirror: is not enforced by this version of Fairlead: no copies"));
}

TEST(Schema, StopsRepeatingItself) {
  std::string text = "labels:\n";
  for (int i = 0; i < 500; ++i) text += "  k" + std::to_string(i) + ": 1\n";
  const auto lines = check_text(text);
  ASSERT_EQ(lines.size(), 51);
  EXPECT_EQ(lines.back(), "f.yaml:52:8: and more errors from here on; correct these first");
}

}  // namespace
}  // namespace config::yaml
