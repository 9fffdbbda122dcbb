#include "agent/kube/status/problem_log.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace agent::kube {

void ProblemLog::on_failure(const ApiError& error) {
  if (std::exchange(last_, error.message) != error.message) spdlog::warn("kube: {}: {}", what_, error.message);
}

void ProblemLog::on_success() {
  if (!std::exchange(last_, {}).empty()) spdlog::info("kube: {}: all is well again", what_);
}

}  // namespace agent::kube
