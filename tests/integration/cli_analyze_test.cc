// `fairlead analyze` as a process: its exit codes and what it prints.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "cli/demo/examples.h"
#include "cli/demo/temporary_directory.h"
#include "cli/process.h"

namespace cli {
namespace {

using testing::HasSubstr;

class Analyze : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(demo::write_examples(directory_.path())); }

  int analyze(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {FAIRLEAD_PROGRAM, "analyze"});
    const auto path = directory_ / "output";
    const base::UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    auto process = Process::start({.arguments = arguments, .stdout_fd = out.get(), .stderr_fd = out.get()});
    const int exit_code = process ? process->wait(base::now() + std::chrono::seconds(20)).value_or(-1) : -1;
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    output_ = text.str();
    return exit_code;
  }
  std::string file(std::string_view name) { return directory_ / name; }
  std::string written(std::string_view name, std::string_view text) {
    EXPECT_TRUE(demo::write_file(file(name), text));
    return file(name);
  }

  demo::TemporaryDirectory directory_ = std::move(*demo::TemporaryDirectory::create("fairlead-analyze"));
  std::string output_;
};

TEST_F(Analyze, GoodDocumentsEndWith0) {
  EXPECT_EQ(analyze({file("services.yaml"), file("policies/timeout.yaml")}), 0) << output_;
  EXPECT_THAT(output_, HasSubstr("2 files: 0 errors, 0 warnings"));
}

TEST_F(Analyze, WarningsAreToldAndStillEndWith0) {
  EXPECT_EQ(analyze({file("services.yaml"), file("policies/ejection.yaml")}), 0) << output_;
  EXPECT_THAT(output_, HasSubstr("consecutiveErrors"));
  EXPECT_THAT(output_, HasSubstr("maxEjectionPercent"));
}

TEST_F(Analyze, AnInvalidDocumentEndsWith2AndNamesItsPlace) {
  const auto bad = written("bad.yaml",
                           "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n"
                           "  hosts: [a]\n  http:\n    - timeout: 5\n      route: [{destination: {host: a}}]\n");
  EXPECT_EQ(analyze({"-f", bad}), 2);
  EXPECT_THAT(output_, HasSubstr("bad.yaml:7:"));
  EXPECT_THAT(output_, HasSubstr("spec.http[0].timeout"));
}

TEST_F(Analyze, AnUnreadablePathEndsWith2) {
  EXPECT_EQ(analyze({"-f", file("absent.yaml")}), 2);
  EXPECT_THAT(output_, HasSubstr("no such file or folder"));
}

TEST_F(Analyze, AFolderIsReadAsAWholeSoTwoVersionsOfOneDocumentAreAnError) {
  EXPECT_EQ(analyze({"-f", file("policies")}), 2) << output_;
  EXPECT_THAT(output_, HasSubstr("5 files:"));
  EXPECT_THAT(output_, HasSubstr("VirtualService default/greeter-service is there already"));
}

}  // namespace
}  // namespace cli
