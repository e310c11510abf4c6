#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace tenbin {

/// A BLAKE2b-256 digest (codec/hash.h computes it). All zero means "none".
struct Hash {
  std::array<std::uint8_t, 32> bytes{};

  constexpr auto operator<=>(const Hash&) const = default;
  constexpr explicit operator bool() const { return *this != Hash{}; }
};

}  // namespace tenbin
