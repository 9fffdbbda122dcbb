#include "cli/commands/check.h"

#include <cstdio>

#include "cli/check/judge.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

Table::Cell mark(check::Verdict verdict) {
  switch (verdict) {
    case check::Verdict::good:
      return {"ok", Colour::green};
    case check::Verdict::note:
      return {"note", Colour::yellow};
    case check::Verdict::missing:
      break;
  }
  return {"missing", Colour::red};
}

}  // namespace

int run_check(const CheckOptions& /*options*/, const Terminal& terminal) {
  const auto findings = check::judge(check::gather_host_facts());
  Table table;
  bool is_missing = false;
  for (const auto& finding : findings) {
    is_missing = is_missing || finding.verdict == check::Verdict::missing;
    const auto detail = finding.remedy.empty() ? finding.detail : finding.detail + "; do: " + finding.remedy;
    table.add({mark(finding.verdict), {finding.subject}, {detail}});
  }
  std::fputs(table.to_string(terminal).c_str(), stdout);
  if (!is_missing) return kGood;
  std::puts(
      "\nUntil then, `fairlead run --no-bpf` and `fairlead demo --no-bpf` work for any user, without redirection.");
  return kBad;
}

}  // namespace cli
