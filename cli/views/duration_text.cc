#include "cli/views/duration_text.h"

namespace cli {

std::string short_duration(std::chrono::milliseconds duration) {
  auto left = std::chrono::ceil<std::chrono::seconds>(duration).count();
  std::string text;
  if (left >= 3600) text += std::to_string(left / 3600) + "h";
  if (left >= 60 && left % 3600 / 60 > 0) text += std::to_string(left % 3600 / 60) + "m";
  left %= 60;
  return left > 0 || text.empty() ? text + std::to_string(left) + "s" : text;
}

std::string exact_duration(std::chrono::milliseconds duration) {
  constexpr std::chrono::seconds kSecond{1};
  if (duration % kSecond == std::chrono::milliseconds(0)) return short_duration(duration);
  return std::to_string(duration.count()) + "ms";
}

}  // namespace cli
