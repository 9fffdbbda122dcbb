#pragma once

#include <string>
#include <vector>

#include "cli/demo/expectations.h"
#include "cli/terminal.h"

namespace cli::demo {

// Something that was done, as one could type it, and what came back.
struct Exchange {
  std::string command;
  std::vector<std::string> answer;
};

struct StepReport {
  int number = 0;
  std::string title{};
  std::string policy{};             // the file that was applied; empty: none
  std::vector<std::string> says{};  // what the policy asks for, in a line or two
  std::vector<Exchange> exchanges{};
  Checks checks{};

  [[nodiscard]] bool passed() const;
};

std::string step_text(const StepReport& step, const Terminal& terminal);

}  // namespace cli::demo
