#include "base/random.h"

#include <bit>
#include <random>

namespace base {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {  // splitmix64, as xoshiro's authors ask for
    seed += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    word = z ^ (z >> 31);
  }
}

Random Random::from_entropy() {
  std::random_device device;
  return Random((static_cast<std::uint64_t>(device()) << 32) | device());
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  // Multiply-shift: the bias is below 2^-32 for the small bounds used here.
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

}  // namespace base
