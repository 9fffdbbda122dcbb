#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/compile/routes.h"
#include "config/istio/own_kinds.h"
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

void expect_all_named(std::span<const yaml::Field> fields, const std::string& text) {
  for (const yaml::Field& field : fields) {
    EXPECT_THAT(text, HasSubstr(std::string(field.name) + ":"));
    expect_all_named(field.fields, text);
  }
}

TEST(Example, ShowsEveryOption) {
  expect_all_named(istio::settings_fields(), read_file(kSource / "config/example.yaml"));
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
