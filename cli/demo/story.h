#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "cli/demo/report.h"
#include "cli/demo/stage.h"

namespace cli::demo {

// Plays the reference scenario on a stage, step by step.
class Story {
 public:
  Story(Stage& stage, Semantics semantics) : stage_(stage), semantics_(semantics) {}

  // `on_step` gets each report as soon as it is complete. Fails when the demo itself cannot go on; a step that shows
  // something else than it should is a report with a failed check.
  base::Result<> play(const std::function<void(const StepReport&)>& on_step);

 private:
  base::Result<StepReport> plain_call();
  base::Result<StepReport> timeout();
  base::Result<StepReport> retries();
  base::Result<StepReport> retries_spelled_out();
  base::Result<StepReport> ejection();
  base::Result<StepReport> limits();
  base::Result<StepReport> metrics();

  // One request through helloweb, and all that it left behind.
  base::Result<Seen> call(StepReport& step, const std::string& target);
  base::Result<Codes> load(StepReport& step, const Stage::Command& command);

  Stage& stage_;
  Semantics semantics_;
  std::uint64_t sent_ = 0;  // requests to the greeter, as far as the callers know
};

}  // namespace cli::demo
