#include "cli/commands/demo.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "base/clock.h"
#include "cli/check/judge.h"
#include "cli/demo/stage.h"
#include "cli/demo/story.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"

namespace cli {
namespace {

struct Tally {
  std::size_t steps = 0, checks = 0, failed = 0;
};

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// Why this machine or user cannot redirect connections; empty if it can.
std::string obstacle() {
  for (const auto& finding : check::judge(check::gather_host_facts())) {
    if (finding.verdict == check::Verdict::missing) return finding.subject + ": " + finding.detail;
  }
  return {};
}

void print_opening(const DemoOptions& options, bool uses_bpf, const Terminal& terminal) {
  const std::string semantics =
      options.semantics == config::Semantics::legacy ? "legacy (Istio 1.1)" : "istio (today's)";
  print(terminal.paint(Colour::bold, "Fairlead demo") +
        terminal.paint(Colour::dim,
                       "  semantics " + semantics + ", " + (uses_bpf ? "redirection by eBPF" : "without eBPF")) +
        "\n\n");
}

void print_way_on(const demo::Stage& stage, const Terminal& terminal) {
  const auto line = [&](const std::string& command) {
    print("   " + terminal.paint(Colour::cyan, "$ " + command) + "\n");
  };
  print("Everything is still running; Ctrl-C ends it. From another terminal:\n\n");
  line("export FAIRLEAD_ADMIN=" + stage.admin().to_string());
  line("fairlead status");
  line("fairlead get endpoints");
  line(stage.call_helloweb("/?separateRequest=true").typed);
  line(stage.load_greeter({"-c", "3", "-qps", "0", "-n", "50"}).typed);
  line("curl " + stage.admin().to_string() + "/metrics");
  print("\nThe documents are in " + stage.documents() + "; what is saved there is in force at once.\n");
}

int play(const DemoOptions& options, bool uses_bpf, const Terminal& terminal) {
  const auto begun = base::now();
  const auto stage = demo::Stage::set_up({.uses_bpf = uses_bpf, .semantics = options.semantics});
  if (!stage) {
    std::fprintf(stderr, "fairlead demo: %s\n", stage.error().message.c_str());
    return kBad;
  }
  Tally tally;
  demo::Story story(**stage, options.semantics);
  const auto played = story.play([&](const demo::StepReport& step) {
    print(demo::step_text(step, terminal));
    ++tally.steps;
    tally.checks += step.checks.size();
    tally.failed += static_cast<std::size_t>(
        std::count_if(step.checks.begin(), step.checks.end(), [](const auto& check) { return !check.passed; }));
  });
  if (!played) {
    std::fprintf(stderr, "fairlead demo: %s\n", played.error().message.c_str());
    return kBad;
  }
  const double seconds = std::chrono::duration<double>(base::now() - begun).count();
  char summary[160];
  std::snprintf(summary, sizeof summary, "%zu steps, %zu checks, %zu failed, %.1f s", tally.steps, tally.checks,
                tally.failed, seconds);
  print(terminal.paint(tally.failed == 0 ? Colour::green : Colour::red, tally.failed == 0 ? "PASS" : "FAIL") + "  " +
        summary + "\n");
  if (options.keeps_running) {
    print("\n");
    print_way_on(**stage, terminal);
    while (interruption() == 0 && !(*stage)->casualty()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    print("\n");
  }
  return tally.failed == 0 ? kGood : kBad;
}

}  // namespace

int run_demo(const DemoOptions& options, const Terminal& terminal) {
  watch_interrupts();
  bool uses_bpf = !options.has_no_bpf;
  if (uses_bpf) {
    if (const auto reason = obstacle(); !reason.empty()) {
      std::fprintf(stderr,
                   "This machine or user cannot redirect connections (%s);\nthe demo goes on without eBPF. `fairlead "
                   "check` says what to do.\n\n",
                   reason.c_str());
      uses_bpf = false;
    }
  }
  print_opening(options, uses_bpf, terminal);
  const int exit_code = play(options, uses_bpf, terminal);
  return interruption() != 0 ? 128 + interruption() : exit_code;
}

}  // namespace cli
