#include "cli/load/plan.h"

namespace cli::load {

std::uint64_t Outcome::answers() const {
  std::uint64_t count = 0;
  for (const auto& [code, times] : codes) count += code == kNoAnswer ? 0 : times;
  return count;
}

std::uint64_t share_of(std::uint64_t total, std::uint32_t connections, std::uint32_t index) {
  return total / connections + (index < total % connections ? 1 : 0);
}

}  // namespace cli::load
