// What the request path calls, each piece by itself. As any Google Benchmark program it measures time; with --count,
// under callgrind, it has the instructions of each piece counted (tests/bench/instructions).
#include <benchmark/benchmark.h>
#include <valgrind/callgrind.h>

#include <string_view>

#include "tests/bench/micro/body.h"

namespace {

constexpr int kWarmUp = 200;

// callgrind writes a file for each dump and names it by its trigger.
void count_instructions(const std::vector<bench::Body>& bodies) {
  for (const bench::Body& body : bodies) {
    for (int i = 0; i < kWarmUp; ++i) body.run();
    CALLGRIND_ZERO_STATS;
    CALLGRIND_START_INSTRUMENTATION;
    for (int i = 0; i < bench::kCountedRuns; ++i) body.run();
    CALLGRIND_STOP_INSTRUMENTATION;
    CALLGRIND_DUMP_STATS_AT(body.name.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Body> bodies;
  bench::add_http1(bodies);
  bench::add_policy(bodies);
  bench::add_engine(bodies);
  bench::add_telemetry(bodies);
  if (argc == 2 && std::string_view(argv[1]) == "--count") {
    count_instructions(bodies);
    return 0;
  }
  for (const bench::Body& body : bodies) {
    benchmark::RegisterBenchmark(body.name.c_str(), [&body](benchmark::State& state) {
      for ([[maybe_unused]] auto _ : state) body.run();
    });
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
