#include "cli/commands/check.h"

#include <cstdio>

#include "cli/check/findings.h"
#include "cli/check/judge.h"
#include "cli/cluster/preflight.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

int print(const std::vector<check::Finding>& findings, OutputFormat format, const Terminal& terminal) {
  const std::string text =
      format == OutputFormat::json ? check::findings_json(findings) : check::findings_text(findings, terminal);
  std::fputs(text.c_str(), stdout);
  return check::has_missing(findings) ? kBad : kGood;
}

}  // namespace

int run_check(const CheckOptions& options, const Terminal& terminal) {
  const int code = print(check::judge(check::gather_host_facts(options.places)), options.format, terminal);
  if (code != kGood && options.format == OutputFormat::table) {
    std::puts(
        "\nUntil then, `fairlead run --no-bpf` and `fairlead demo --no-bpf` work for any user, without redirection.");
  }
  return code;
}

int run_cluster_check(const ClusterCheckOptions& options, const Terminal& terminal) {
  const auto connection = cluster::Connection::open(options.cluster);
  if (!connection) return refuse("check", connection.error());
  auto findings = cluster::check_cluster(*connection, options.cluster.fairlead_namespace);
  if (!findings) return refuse("check", findings.error());
  if (!options.skips_nodes) {
    for (auto& finding : cluster::check_nodes(*connection, options.nodes)) findings->push_back(std::move(finding));
  }
  return print(*findings, options.format, terminal);
}

}  // namespace cli
