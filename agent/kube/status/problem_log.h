#pragma once

#include <string>

#include "agent/kube/api_error.h"

namespace agent::kube {

// Logs what goes wrong once, however often it does, and that it goes well again.
class ProblemLog {
 public:
  explicit ProblemLog(std::string what) : what_(std::move(what)) {}
  void on_failure(const ApiError& error);
  void on_success();

 private:
  std::string what_;
  std::string last_;
};

}  // namespace agent::kube
