#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "agent/agent.h"
#include "agent/options.h"

namespace {

constexpr int kBad = 1;
constexpr int kInputError = 2;

}  // namespace

int main(int argc, char** argv) {
  const agent::ParsedOptions parsed = agent::parse_options(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  spdlog::set_default_logger(spdlog::stderr_logger_st("agent"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);

  agent::Agent agent(parsed.options);
  if (auto started = agent.start(); !started) {
    std::fprintf(stderr, "%s: %s\n", argv[0], started.error().message.c_str());
    return started.error().code == base::Errc::invalid || started.error().code == base::Errc::not_found ? kInputError
                                                                                                        : kBad;
  }
  agent.run();
  return 0;
}
