#include "cli/completion.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace cli
