#include "config/yaml/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml/node.h"

namespace config::yaml {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Value parse_one(std::string_view text) {
  auto documents = parse(text);
  EXPECT_THAT(documents, SizeIs(1));
  EXPECT_TRUE(documents.at(0).value.has_value()) << (documents[0].error ? documents[0].error->message : "");
  return *documents.at(0).value;
}

std::string error_of(std::string_view text, const Limits& limits = {}) {
  for (const ParsedDocument& document : parse(text, limits)) {
    if (document.error) {
      return std::to_string(document.error->mark.line) + ":" + std::to_string(document.error->mark.column) + ": " +
             document.error->message;
    }
  }
  return "";
}

TEST(Parse, RemembersWhereEverythingStands) {
  const Value value = parse_one("a: 1\nb:\n  - x\n  - y: 2\n");
  EXPECT_EQ(value.members.at(1).mark, (Mark{2, 1}));
  const Value& list = *value.find("b");
  EXPECT_EQ(list.items.at(0).mark, (Mark{3, 5}));
  EXPECT_EQ(list.items.at(1).find("y")->mark, (Mark{4, 8}));
}

TEST(Parse, PlacesWhatIsMissingAtTheEndInTheLastLine) {
  EXPECT_EQ(parse_one("a:\n-").find("a")->items.at(0).mark, (Mark{2, 2}));
  EXPECT_EQ(parse_one("a:\n-\n").find("a")->items.at(0).mark, (Mark{3, 1}));
}

TEST(Parse, TellsQuotedTextFromNumbersAndBooleans) {
  const std::pair<const char*, ScalarType> kCases[] = {
      {"3", ScalarType::integer},      {"-3", ScalarType::integer},   {"0x1F", ScalarType::integer},
      {"3.5", ScalarType::number},     {"1e3", ScalarType::number},   {".5", ScalarType::number},
      {".inf", ScalarType::number},    {"true", ScalarType::boolean}, {"off", ScalarType::boolean},
      {"\"3\"", ScalarType::text},     {"'true'", ScalarType::text},  {"!!str 3", ScalarType::text},
      {"|\n  3", ScalarType::text},    {"5xx", ScalarType::text},     {"1.2.3", ScalarType::text},
      {"v1", ScalarType::text},        {"1e", ScalarType::text},      {"0x", ScalarType::text},
      {"127.0.0.1", ScalarType::text}, {"-", ScalarType::text},
  };
  for (const auto& [text, expected] : kCases) {
    if (std::string_view(text) == "-") continue;
    EXPECT_EQ(parse_one(std::string("k: ") + text).find("k")->scalar_type(), expected) << text;
  }
}

TEST(Parse, SplitsDocumentsAndKeepsTheirLines) {
  const auto documents = parse("# only a comment\n---\na: 1\n---\n---\n# nothing\n...\n%YAML 1.2\n---\nb: 2\n");
  ASSERT_THAT(documents, SizeIs(2));
  EXPECT_EQ(documents[0].value->members.at(0).mark.line, 3);
  EXPECT_EQ(documents[1].value->members.at(0).mark.line, 10);
}

TEST(Parse, KeepsOtherDocumentsWhenOneIsBroken) {
  const auto documents = parse("a: 1\n---\nb: [1\n---\nc: 3\n");
  ASSERT_THAT(documents, SizeIs(3));
  EXPECT_TRUE(documents[0].value.has_value());
  EXPECT_TRUE(documents[1].error.has_value());
  EXPECT_TRUE(documents[2].value.has_value());
}

TEST(Parse, ReadsJsonAndWindowsLinesAndAByteOrderMark) {
  EXPECT_EQ(parse_one(R"({"a": {"b": [1, "2"]}})").find("a")->find("b")->items.size(), 2);
  EXPECT_EQ(parse_one("a: 1\r\nb: x\r\n").find("b")->text, "x");
  EXPECT_EQ(parse_one("\xef\xbb\xbf"
                      "a: 1\n")
                .find("a")
                ->text,
            "1");
}

TEST(Parse, ExpandsAliases) {
  const Value value = parse_one("a: &x {v: 1}\nb: *x\nc: &y z\nd: [*y, *y]\n");
  EXPECT_EQ(value.find("b")->find("v")->text, "1");
  EXPECT_EQ(value.find("d")->items.at(1).text, "z");
}

std::string error_path(std::string_view text) {
  const auto documents = parse(text);
  return documents.size() == 1 && documents[0].error ? documents[0].error->path : "no error";
}

TEST(Parse, RefusesWhatOthersOverlook) {
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "3:1: the key \"a\" is there twice; remove one");
  EXPECT_EQ(error_of("a: &x {k: 1}\nb:\n  <<: *x\n"),
            "3:3: merge keys (<<) are not supported, as in Kubernetes; write the fields out");
  EXPECT_EQ(error_of("a: !!binary aGk=\n"),
            "1:4: the tag \"tag:yaml.org,2002:binary\" is not supported; only !!str is");
  EXPECT_EQ(error_of("a: !mine {b: 1}\n"), "1:4: the tag \"!mine\" is not supported; only !!str is");
  EXPECT_EQ(error_of("? [a, b]\n: 1\n"),
            "1:3: a key must be plain text, not a list or a mapping; if this is a {{template}}, fill it in first");
  EXPECT_EQ(error_of("{a: 1} b\n"), "1:8: text after the end of the document; put --- on a line before it");
  EXPECT_EQ(error_of("a: 1\nb: \x04\nc: 2\n"),
            "2:4: the control byte 0x04 may not stand in a document; inside double quotes write it as an escape");
  EXPECT_EQ(error_path("spec:\n  http:\n  - x: 1\n  - timeout: 1s\n    timeout: 2s\n"), "spec.http[1].timeout");
  EXPECT_EQ(error_path("spec: {a: [{<<: 1}]}\n"), "spec.a[0]");
  EXPECT_EQ(error_path("spec: {a: [1, !!binary aGk=]}\n"), "spec.a[1]");
  EXPECT_THAT(error_of("a: [1, 2\nb: 3\n"), HasSubstr("2:"));
  EXPECT_THAT(error_of("a: *nobody\n"), HasSubstr("1:4: "));
  EXPECT_THAT(error_of("a: &x [*x]\n"), HasSubstr("1:8: "));
  EXPECT_THAT(error_of("\tb: 1\n"), HasSubstr("1:"));
}

TEST(Parse, SaysHowToWriteItRight) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"a: 1\n b: 2\n", "2:3: a colon may not stand here; check the indentation, or put the text in quotes"},
      {"a:\n  b: 1\n c: 2\n", "3:2: this is not indented like the fields before it"},
      {"a:\n  - b\n - c\n", "3:2: this is not indented like the fields before it"},
      {"a: b: c\n", "1:5: a colon may not stand here; check the indentation, or put the text in quotes"},
      {"a:\n\tb: 1\n", "2:3: a tab may not indent; use spaces"},
      {"a: {b: 1\n", "2:1: a { is not closed with }, or a comma is missing"},
      {"a: [1, 2\n", "2:1: a [ is not closed with ], or a comma is missing"},
      {"a: \"b\n", "2:1: a text in quotes is not closed"},
      {"a: 'b", "1:6: a text in quotes is not closed"},
      {"a: [b", "1:6: a [ is not closed with ], or a comma is missing"},
      {"a: @b\n", "1:4: text may not begin with this character; put it in quotes"},
      {"a: %b\n", "1:4: text may not begin with this character; put it in quotes"},
      {"{{- if .x }}\na: 1\n",
       "1:3: a list may not begin here; check the indentation; if this is a template, fill it in first"},
      {"a: {{ .x }}\n",
       "1:5: a key must be plain text, not a list or a mapping; if this is a {{template}}, fill it in first"},
      {"a: \"\\ud83d\\ude00\"\n", "1:11: this escape is half a character; write the character itself"},
  };
  for (const auto& [text, expected] : kCases) EXPECT_EQ(error_of(text), expected) << text;
}

TEST(Parse, RefusesWhatIsNotText) {
  EXPECT_EQ(error_of("a: 1\nb: caf\xe9\n"), "2:7: this is not UTF-8; save the file in that encoding");
  EXPECT_EQ(error_of("a: 1\rb: 2\r"), "1:5: a carriage return without a line feed; end lines with LF or CR LF");
  EXPECT_EQ(error_of(std::string_view("\xff\xfe"
                                      "a\0:\0",
                                      6)),
            "1:1: the file is UTF-16; save it as UTF-8");
  EXPECT_EQ(error_of(std::string_view("\xfe\xff\0a\0:", 6)), "1:1: the file is UTF-16; save it as UTF-8");
}

TEST(Parse, BoundsWhatADocumentMayAskFor) {
  // Each level has ten times the values of the one before: ten thousand million in all.
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias;
    for (int j = 0; j < 9; ++j) bomb += "," + alias;
    bomb += "]\n";
  }
  EXPECT_THAT(error_of(bomb), HasSubstr("values"));
  std::string nested_anchors;
  for (int i = 0; i < 40; ++i) nested_anchors += "&n" + std::to_string(i) + " [";
  for (int i = 0; i < 2000; ++i) nested_anchors += "x,";
  EXPECT_THAT(error_of(nested_anchors + "x" + std::string(40, ']'), {.max_nodes = 10'000}),
              HasSubstr("too many values under anchors"));
  EXPECT_THAT(error_of(std::string(200, '[') + std::string(200, ']')), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("1:"));
  EXPECT_THAT(error_of("a: 1\n", {.max_file_bytes = 4}), HasSubstr("the file has 5 bytes; at most 4 are allowed"));
  std::string deep_alias = "a: &a " + std::string(40, '[') + std::string(40, ']') + "\nb: " + std::string(40, '[') +
                           "*a" + std::string(40, ']') + "\n";
  EXPECT_THAT(error_of(deep_alias), HasSubstr("nested deeper than 64 levels"));
}

TEST(Parse, HasNothingToSayAboutNothing) {
  EXPECT_THAT(parse(""), IsEmpty());
  EXPECT_THAT(parse("\n# comment\n---\n...\n---\n~\n"), IsEmpty());
}

}  // namespace
}  // namespace config::yaml
