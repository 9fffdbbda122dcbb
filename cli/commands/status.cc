#include "cli/commands/status.h"

#include <cstdio>

#include "cli/exit_code.h"
#include "cli/views/cluster_status.h"
#include "cli/views/host_status.h"
#include "cli/views/pages.h"

namespace cli {

int run_status(const StatusOptions& options, const Terminal& terminal) {
  const auto answers = ask(options.source);
  if (!answers) return refuse("status", answers.error());
  const Fleet& fleet = answers->fleet;
  const bool is_host = !options.source.cluster;
  std::string text;
  if (options.format == OutputFormat::json) {
    text = is_host ? fleet.front().config_dump : status_json(fleet);
  } else {
    text = is_host ? status_text(fleet.front().view, terminal) : cluster_status_text(fleet, terminal);
  }
  std::fputs(text.c_str(), stdout);
  return (is_host ? is_healthy(fleet.front().view) : is_healthy(fleet)) ? kGood : kBad;
}

}  // namespace cli
