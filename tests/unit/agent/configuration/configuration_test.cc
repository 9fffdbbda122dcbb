#include "agent/configuration/configuration.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agent {
namespace {

// What is started first asks for them, long before anything is compiled.
TEST(Configuration, HasTheSettingsAsSoonAsTheFilesAreRead) {
  std::string folder = (std::filesystem::temp_directory_path() / "fairlead-settings-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/settings.yaml") << "apiVersion: fairlead.dev/v1alpha1\nkind: Settings\n"
                                              "metadata: {name: fairlead}\nspec: {cluster: {domain: example.org}}\n";
  Options options;
  options.documents = {folder};
  telemetry::IdentityTable identities;
  Configuration configuration(options, identities, [](const auto&) {});
  const auto loaded = configuration.load();
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(configuration.settings().cluster_domain, "example.org");
}

}  // namespace
}  // namespace agent
