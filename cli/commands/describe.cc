#include "cli/commands/describe.h"

#include <cstdio>

#include "cli/exit_code.h"
#include "cli/views/describe_service.h"

namespace cli {

int run_describe(const DescribeOptions& options, const Terminal& terminal) {
  const auto answers = ask(options.source);
  if (!answers) return refuse("describe service", answers.error());
  const auto hosts = find_services(answers->fleet, options.service, answers->name_space);
  if (hosts.empty()) {
    std::string message = "there is no service " + options.service;
    if (options.source.cluster) {
      message = "no captured pod calls a service " + options.service +
                (answers->name_space.empty() ? "" : " of the namespace " + answers->name_space) +
                ": agents follow a service from its first connection on (kubectl fairlead get services -A)";
    }
    return refuse("describe service", {base::Errc::not_found, message});
  }
  for (const std::string& host : hosts) std::fputs(describe_service(answers->fleet, host, terminal).c_str(), stdout);
  return kGood;
}

}  // namespace cli
