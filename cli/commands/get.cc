#include "cli/commands/get.h"

#include <algorithm>
#include <cstdio>

#include "cli/exit_code.h"
#include "cli/views/lists.h"
#include "cli/views/pages.h"
#include "cli/views/policies.h"

namespace cli {
namespace {

struct Kind {
  const char* name;
  const char* part;  // of the agent's pages
};

Kind kind_of(Listed what) {
  switch (what) {
    case Listed::workloads:
      return {"workloads", "pods"};
    case Listed::services:
      return {"services", "services"};
    case Listed::endpoints:
      return {"endpoints", "clusters"};
    case Listed::policies:
      break;
  }
  return {"policies", "policies"};
}

std::string table(const GetOptions& options, const Answers& answers, const Terminal& terminal) {
  const ListFilter filter{answers.name_space, options.name};
  switch (options.what) {
    case Listed::workloads:
      return workloads_text(answers.fleet, filter, terminal);
    case Listed::services:
      return services_text(answers.fleet, filter, terminal);
    case Listed::endpoints:
      return endpoints_text(answers.fleet, filter, base::wall_now(), terminal);
    case Listed::policies:
      break;
  }
  return policies_text(answers.fleet, {.name_space = filter.name_space, .name = filter.name}, terminal);
}

}  // namespace

int run_get(const GetOptions& options, const Terminal& terminal) {
  const Kind kind = kind_of(options.what);
  const auto answers = ask(options.source);
  if (!answers) return refuse(std::string("get ") + kind.name, answers.error());
  const bool is_host = !options.source.cluster;
  std::string text;
  if (options.format == OutputFormat::table) {
    text = table(options, *answers, terminal);
  } else if (is_host && options.what == Listed::endpoints) {
    text = answers->fleet.front().clusters;
  } else {
    text = part_json(answers->fleet, kind.part, answers->name_space);
  }
  std::fputs(text.c_str(), stdout);
  // A list that lacks a node's part says so, and is not good.
  bool is_whole = true;
  for (const NodeReport& report : answers->fleet) {
    if (report.error.empty() || report.agent.empty()) continue;
    std::fprintf(stderr, "fairlead get %s: %s: %s\n", kind.name, report.node.c_str(), report.error.c_str());
    is_whole = false;
  }
  return is_whole ? kGood : kBad;
}

}  // namespace cli
