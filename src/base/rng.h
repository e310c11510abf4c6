#pragma once

#include <cstdint>

namespace tenbin {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine from the same seed.
/// Randomness is always an argument, so that a history can be run again.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// 0 <= result < bound; bound > 0. The bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using U = unsigned __int128;
    return static_cast<std::uint64_t>((U{next()} * bound) >> 64);
  }
  /// True in `ppm` of a million calls.
  bool chance(std::uint64_t ppm) { return below(1'000'000) < ppm; }

 private:
  std::uint64_t state_;
};

}  // namespace tenbin
