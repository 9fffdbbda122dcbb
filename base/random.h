#pragma once

#include <cstdint>

namespace base {

// xoshiro256**: fast, not for secrets. One per thread; tests pass a fixed seed.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  static Random from_entropy();

  std::uint64_t next();
  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t state_[4];
};

}  // namespace base
