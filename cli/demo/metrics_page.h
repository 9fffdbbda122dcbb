#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli::demo {

struct Sample {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;
};

// The samples of a page in the text format; lines that are none are left out.
std::vector<Sample> parse_metrics(std::string_view page);

// The values of the labels `by`, in that order, and the sum of all samples that have them.
using Sums = std::map<std::vector<std::string>, double>;

// sum(name{where}) by (by), as Prometheus would answer it. A label that a sample lacks is empty.
Sums sum_by(const std::vector<Sample>& samples, std::string_view name,
            const std::vector<std::pair<std::string, std::string>>& where, const std::vector<std::string>& by);

// What was added from `before` to `after`, without what did not change.
Sums difference(const Sums& before, const Sums& after);

}  // namespace cli::demo
