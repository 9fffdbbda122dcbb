#include "agent/kube/api_time.h"

#include <ctime>

namespace agent::kube {
namespace {

std::string to_second(std::int64_t since_epoch) {
  const std::time_t seconds = since_epoch;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts)};
}

std::int64_t micros_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string api_time(base::WallTime time) { return to_second(micros_of(time) / 1'000'000) + "Z"; }

std::string api_micro_time(base::WallTime time) {
  const std::int64_t micros = micros_of(time);
  std::string fraction = std::to_string(1'000'000 + micros % 1'000'000);
  fraction[0] = '.';
  return to_second(micros / 1'000'000) + fraction + "Z";
}

}  // namespace agent::kube
