#pragma once

#include <cstdio>
#include <cstdlib>

namespace fuzz {

// A broken claim is a finding: libFuzzer keeps the input that led here.
inline void require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", claim);
  std::abort();
}

}  // namespace fuzz
