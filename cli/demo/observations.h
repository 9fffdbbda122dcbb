#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/demo/metrics_page.h"

// What the demo sees from outside: the answers of helloweb and what the greeters noted about their arrivals.
namespace cli::demo {

// One of the calls that helloweb made, as its answer shows it.
struct Call {
  std::string name;  // hello, version
  int status = 0;
  double seconds = 0;
  std::string body;  // as text; JSON stays JSON
};

// {"hello": {"status": 200, "seconds": 0.004, "body": ...}, "version": ...}
base::Result<std::vector<Call>> parse_calls(std::string_view answer);

// A request that reached a greeter.
struct Arrival {
  double time = 0;  // seconds since 1970, by the greeter's clock
  std::string version;
  std::string path;
  std::string attempt;  // x-envoy-attempt-count
};

// The lines of a greeter's log; a last line without its end is left for later.
std::vector<Arrival> parse_arrivals(std::string_view log);

}  // namespace cli::demo
