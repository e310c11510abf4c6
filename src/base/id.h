#pragma once

#include <compare>
#include <cstdint>

namespace tenbin {

/// A handle to one row of one table. `Id<Job>` and `Id<Node>` never mix, never do arithmetic and
/// never come from a bare integer by accident. Zero means "none". The World hands ids out in
/// ascending order, so id order is creation order, which is the tie-break of last resort.
template <class Tag>
struct Id {
  std::uint64_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(std::uint64_t v) : value(v) {}
  constexpr explicit operator bool() const { return value != 0; }
  constexpr auto operator<=>(const Id&) const = default;
};

}  // namespace tenbin
