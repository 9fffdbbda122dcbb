#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/check/host_facts.h"

namespace cli::check {

enum class Verdict : std::uint8_t {
  good,
  note,     // worth knowing, works all the same
  missing,  // the redirected mode cannot work without it
};

struct Finding {
  Verdict verdict = Verdict::good;
  std::string subject;
  std::string detail;
  std::string remedy;  // what to do; empty when nothing is
};

// One finding for each line of `fairlead check`, in a fixed order.
std::vector<Finding> judge(const HostFacts& facts);

}  // namespace cli::check
