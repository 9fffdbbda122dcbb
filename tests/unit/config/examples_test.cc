#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/compile/routes.h"
#include "config/istio/own_kinds.h"
#include "config/yaml/parse.h"
#include "tests/unit/config/support.h"

namespace config {
namespace {

using ::testing::HasSubstr;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::filesystem::path kSource = FAIRLEAD_SOURCE_DIR;

TEST(Example, SaysWhatFairleadDoesAnyway) {
  Settings settings = test::load(read_file(kSource / "config/example.yaml")).settings;
  ASSERT_TRUE(settings.default_retries.has_value());
  EXPECT_EQ(resolve_retries(settings.default_retries, std::nullopt, Semantics::istio), RetryPolicy{});
  settings.default_retries.reset();
  EXPECT_EQ(settings, Settings{});
}

// Every field is there, or in a comment when nothing can be written that means its default.
void expect_all_shown(std::span<const yaml::Field> fields, const yaml::Node& node, const std::string& text) {
  for (const yaml::Field& field : fields) {
    const yaml::Node shown = node[field.name];
    if (!shown) EXPECT_THAT(text, HasSubstr("# " + std::string(field.name) + ": ")) << shown.path();
    expect_all_shown(field.fields, shown, text);
  }
}

TEST(Example, ShowsEveryOption) {
  const std::string text = read_file(kSource / "config/example.yaml");
  const auto documents = yaml::parse(text);
  ASSERT_EQ(documents.size(), 1);
  ASSERT_TRUE(documents[0].value.has_value());
  expect_all_shown(istio::settings_fields(), yaml::Node(*documents[0].value)["spec"], text);
}

TEST(Examples, AreValidTogether) {
  std::vector<SourceFile> services{{"services.yaml", read_file(kSource / "deploy/examples/services.yaml")}};
  for (const auto& policy : std::filesystem::directory_iterator(kSource / "deploy/examples/policies")) {
    std::vector<SourceFile> files = services;
    files.push_back({policy.path().filename(), read_file(policy.path())});
    const LoadResult result = load_documents(files);
    for (const Finding& finding : result.findings) ADD_FAILURE() << finding.to_string();
    EXPECT_FALSE(result.documents.workloads.empty());
  }
}

}  // namespace
}  // namespace config
