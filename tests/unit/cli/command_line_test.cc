#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

Command parse(const std::vector<std::string>& words) { return parse_command_line(words); }

Message message(const std::vector<std::string>& words) {
  const auto command = parse(words);
  const auto* text = std::get_if<Message>(&command);
  if (text == nullptr) ADD_FAILURE() << "understood, not refused";
  return text == nullptr ? Message{} : *text;
}

TEST(CommandLine, LoadTakesFortiosFlagsWithOneDashOrTwo) {
  for (const std::string dash : {"-", "--"}) {
    const auto command = parse({"load", "-c", "2", dash + "qps", "0", "-n", "20", dash + "loglevel", "Warning", "-H",
                                "Host: a", "-H", "x: y", "-t", "1m", dash + "timeout", "500ms",
                                dash + "keepalive=false", "http://greeter-service:3000/hello"});
    const auto& options = std::get<LoadOptions>(command);
    EXPECT_EQ(options.url, "http://greeter-service:3000/hello");
    EXPECT_EQ(options.connections, 2U);
    EXPECT_EQ(options.requests, 20U);
    EXPECT_EQ(options.requests_per_second, 0);
    EXPECT_EQ(options.log_level, LoadLogLevel::warning);
    EXPECT_EQ(options.headers, (std::vector<std::string>{"Host: a", "x: y"}));
    EXPECT_EQ(options.duration, 1min);
    EXPECT_EQ(options.timeout, 500ms);
    EXPECT_FALSE(options.keeps_alive);
  }
}

TEST(CommandLine, LoadHasFortiosDefaults) {
  const auto command = parse({"load", "http://a"});
  const auto& options = std::get<LoadOptions>(command);
  EXPECT_EQ(options.connections, 4U);
  EXPECT_EQ(options.requests_per_second, 8);
  EXPECT_EQ(options.requests, 0U);
  EXPECT_EQ(options.duration, 5s);
  EXPECT_TRUE(options.keeps_alive);
}

TEST(CommandLine, QuietMeansOnlyErrors) {
  const auto command = parse({"load", "-quiet", "http://a"});
  EXPECT_EQ(std::get<LoadOptions>(command).log_level, LoadLogLevel::error);
}

TEST(CommandLine, WrongUseEndsWith2AndPointsToTheHelp) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"nonsense"}, "Try: fairlead --help"},
      {{"nonsense"}, "there is no command nonsense"},
      {{"get", "nonsense"}, "there is no command nonsense"},
      {{"demo", "--semantics", "x"}, "--semantics: 'x' is not istio or legacy"},
      {{"load", "-loglevel", "Loud", "http://a"}, "'Loud' is not Debug, Verbose, Info, Warning or Error"},
      {{"completion", "tcsh"}, "'tcsh' is not bash, zsh or fish"},
      {{"load"}, "Try: fairlead load --help"},
      {{"load", "-x", "http://a"}, "Try: fairlead load --help"},
      {{"load", "-t", "5", "http://a"}, "write 500ms, 10s or 1m30s"},
      {{"load", "-c", "many", "http://a"}, "Try: fairlead load --help"},
      {{"load", "-loglevel", "Loud", "http://a"}, "Try: fairlead load --help"},
      {{"get"}, "Try: fairlead get --help"},
      {{"get", "nonsense"}, "Try: fairlead get --help"},
      {{"status", "-o", "yaml"}, "Try: fairlead status --help"},
      {{"exec", "--", "curl"}, "Try: fairlead exec --help"},
      {{"exec", "--as", "helloweb"}, "Try: fairlead exec --help"},
      {{"completion", "tcsh"}, "Try: fairlead completion --help"},
      {{"check", "surplus"}, "Try: fairlead check --help"},
  };
  for (const auto& [words, hint] : cases) {
    const auto refused = message(words);
    EXPECT_EQ(refused.exit_code, 2) << words.front();
    EXPECT_THAT(refused.text, AllOf(HasSubstr("fairlead"), HasSubstr(hint))) << words.front();
  }
}

TEST(CommandLine, ExecLeavesTheCommandsOwnOptionsAlone) {
  const auto command =
      parse({"exec", "--as", "helloweb", "-n", "web", "--", "curl", "-n", "--as", "-H", "a: b", "--", "x"});
  const auto& options = std::get<ExecOptions>(command);
  EXPECT_EQ(options.workload, "helloweb");
  EXPECT_EQ(options.name_space, "web");
  EXPECT_EQ(options.command, (std::vector<std::string>{"curl", "-n", "--as", "-H", "a: b", "--", "x"}));
}

TEST(CommandLine, EverythingAfterRunIsTheAgents) {
  const auto command = parse({"run", "-f", "dir", "--no-bpf", "--help"});
  EXPECT_EQ(std::get<RunOptions>(command).arguments, (std::vector<std::string>{"-f", "dir", "--no-bpf", "--help"}));
}

TEST(CommandLine, GetEndpointsTakesAServiceAndAFormat) {
  const auto command = parse({"get", "endpoints", "greeter", "-o", "json", "--admin", "127.0.0.1:9"});
  const auto& options = std::get<GetOptions>(command);
  EXPECT_EQ(options.what, Listed::endpoints);
  EXPECT_EQ(options.name, "greeter");
  EXPECT_EQ(options.format, OutputFormat::json);
  EXPECT_EQ(options.source.admin, "127.0.0.1:9");
  EXPECT_FALSE(options.source.cluster);
}

TEST(CommandLine, ThePluginTakesKubectlsFlagsAfterEachCommand) {
  const auto plugin = [](const std::vector<std::string>& words) { return parse_plugin_command_line(words); };
  const auto get = plugin({"get", "workloads", "web", "--context", "far", "-n", "shop", "--kubeconfig", "/k"});
  const auto& options = std::get<GetOptions>(get);
  ASSERT_TRUE(options.source.cluster);
  EXPECT_EQ(options.what, Listed::workloads);
  EXPECT_EQ(options.source.cluster->context, "far");
  EXPECT_EQ(options.source.cluster->name_space, "shop");
  EXPECT_EQ(options.source.cluster->kubeconfig, "/k");
  EXPECT_TRUE(std::get<GetOptions>(plugin({"get", "policies", "-A"})).source.cluster->has_all_namespaces);
  EXPECT_EQ(std::get<DescribeOptions>(plugin({"describe", "service", "a", "-n", "b"})).source.cluster->name_space, "b");
  EXPECT_EQ(std::get<StatusOptions>(plugin({"status", "--fairlead-namespace", "x"})).source.cluster->fairlead_namespace,
            "x");
  const auto check = plugin({"check", "--image", "a/b:c", "--timeout", "5s", "--skip-nodes"});
  EXPECT_EQ(std::get<ClusterCheckOptions>(check).nodes.image, "a/b:c");
  EXPECT_EQ(std::get<ClusterCheckOptions>(check).nodes.patience, 5s);
  EXPECT_TRUE(std::get<ClusterCheckOptions>(check).skips_nodes);
}

TEST(CommandLine, ThePluginNamesItselfAsItIsCalled) {
  const auto command = parse_plugin_command_line(std::vector<std::string>{"get", "everything"});
  const auto& message = std::get<Message>(command);
  EXPECT_EQ(message.exit_code, 2);
  EXPECT_THAT(message.text, HasSubstr("Try: kubectl fairlead get --help"));
}

TEST(CommandLine, DemoKnowsBothProfiles) {
  const auto plain = parse({"demo"});
  EXPECT_EQ(std::get<DemoOptions>(plain).semantics, config::Semantics::istio);
  const auto command = parse({"demo", "--semantics", "legacy", "--no-bpf", "--keep"});
  const auto& options = std::get<DemoOptions>(command);
  EXPECT_EQ(options.semantics, config::Semantics::legacy);
  EXPECT_TRUE(options.has_no_bpf);
  EXPECT_TRUE(options.keeps_running);
}

TEST(CommandLine, AnalyzeTakesFilesWithAndWithoutTheFlag) {
  for (const auto& words : {std::vector<std::string>{"analyze", "-f", "a.yaml", "-f", "dir"},
                            std::vector<std::string>{"analyze", "a.yaml", "dir"}}) {
    const auto command = parse(words);
    EXPECT_EQ(std::get<AnalyzeOptions>(command).paths, (std::vector<std::string>{"a.yaml", "dir"}));
  }
}

TEST(CommandLine, NoCommandAtAllIsWrongUseButExplainsItself) {
  const auto refused = message({});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.text, AllOf(HasSubstr("Commands:"), HasSubstr("fairlead demo")));
}

TEST(CommandLine, HelpEndsWith0) {
  EXPECT_EQ(message({"--help"}).exit_code, 0);
  const auto help = message({"load", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, AllOf(HasSubstr("Usage: fairlead load"), HasSubstr("--qps")));
}

TEST(DescribeCommands, EveryCommandHasASummary) {
  for (const auto& command : describe_commands()) EXPECT_NE(command.summary, "") << command.name;
}

}  // namespace
}  // namespace cli
