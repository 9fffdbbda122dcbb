#include "cli/completion.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<CommandDescription> kCommands{
    {"load", "Send it; don't wait", {{"--qps", "Rate"}, {"-c", "Connections: how many"}}, {}},
    {"get", "List", {}, {"endpoints"}},
};

TEST(Completion, NamesEveryCommandChoiceAndOptionInEveryShell) {
  for (const auto shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const auto script = completion_script(shell, kCommands);
    for (const auto* word : {"load", "get", "endpoints", "qps"}) EXPECT_THAT(script, HasSubstr(word));
  }
}

TEST(Completion, QuotesWhatAShellWouldRead) {
  EXPECT_THAT(completion_script(Shell::fish, kCommands), HasSubstr("'Send it; don'\\''t wait'"));
  EXPECT_THAT(completion_script(Shell::zsh, kCommands), HasSubstr("'load:Send it; don'\\''t wait'"));
}

// In zsh `words` is what is on the line: a variable of that name would hide it.
TEST(Completion, LeavesTheShellsOwnVariablesAlone) {
  const auto script = completion_script(Shell::zsh, kCommands);
  EXPECT_THAT(script, HasSubstr("case ${words[2]} in"));
  EXPECT_THAT(script, Not(HasSubstr("words=(")));
  EXPECT_THAT(script, Not(HasSubstr("-a commands words")));
}

TEST(Completion, FishTellsShortOptionsFromLongOnes) {
  const auto script = completion_script(Shell::fish, kCommands);
  EXPECT_THAT(script, HasSubstr(" -l qps -d 'Rate'"));
  EXPECT_THAT(script, HasSubstr(" -s c -d 'Connections: how many'"));
}

TEST(Completion, KnowsTheRealCommands) {
  const auto script = completion_script(Shell::bash, describe_commands());
  for (const auto* word :
       {"check", "run", "exec", "--as", "load", "--qps", "status", "endpoints", "--output", "version"}) {
    EXPECT_THAT(script, HasSubstr(word));
  }
}

TEST(OptionsInHelp, AreTheLongNamesAndTheirTexts) {
  const auto options = options_in_help(
      "What it does.\nUsage: it [OPTIONS]\n\nOptions:\n"
      "  -h,--help                 Print this\n"
      "  -f,--file PATH ...        Documents: some\n"
      "  --semantics PROFILE:{istio,legacy}\n"
      "                            Profile\n"
      "  --as WORKLOAD[.NAMESPACE] Whose\n");
  ASSERT_EQ(options.size(), 4U);
  EXPECT_EQ(options[0], (std::pair<std::string, std::string>("--help", "Print this")));
  EXPECT_EQ(options[1], (std::pair<std::string, std::string>("--file", "Documents: some")));
  EXPECT_EQ(options[2].first, "--semantics");
  EXPECT_EQ(options[3].first, "--as");
}

}  // namespace
}  // namespace cli
