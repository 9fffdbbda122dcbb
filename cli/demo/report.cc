#include "cli/demo/report.h"

#include <algorithm>

namespace cli::demo {

bool StepReport::passed() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

std::string step_text(const StepReport& step, const Terminal& terminal) {
  std::string text = terminal.paint(Colour::bold, std::to_string(step.number) + "  " + step.title);
  if (!step.policy.empty()) text += terminal.paint(Colour::dim, "  " + step.policy);
  text += "\n";
  for (const auto& line : step.says) text += "   " + line + "\n";
  text += "\n";
  for (const auto& exchange : step.exchanges) {
    text += "   " + terminal.paint(Colour::cyan, "$ " + exchange.command) + "\n";
    for (const auto& line : exchange.answer) text += "     " + printable(line) + "\n";
    text += "\n";
  }
  Table table;
  for (const auto& check : step.checks) {
    table.add({{check.passed ? "PASS" : "FAIL", check.passed ? Colour::green : Colour::red},
               {check.claim},
               {printable(check.observed), Colour::dim}});
  }
  return text + table.to_string(terminal, "   ") + "\n";
}

}  // namespace cli::demo
