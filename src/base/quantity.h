#pragma once

#include <compare>
#include <cstdint>

#include "base/assert.h"

namespace tenbin {

__extension__ using Wide = __int128;

/// A whole number of one unit. Sums are checked: an overflow is a broken promise, because every
/// input is bounded where it enters so that no legal sum can overflow.
template <class Unit>
struct Quantity {
  std::int64_t count = 0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(std::int64_t c) : count(c) {}
  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity other) {
    TENBIN_ASSERT(!__builtin_add_overflow(count, other.count, &count));
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    TENBIN_ASSERT(!__builtin_sub_overflow(count, other.count, &count));
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  constexpr Quantity operator-() const { return Quantity{} - *this; }
};

using Gpus = Quantity<struct MilliGpu>;            // 1000 = one whole GPU
using Cpus = Quantity<struct MilliCpu>;            // 1000 = one core
using Memory = Quantity<struct Mebibyte>;          // main memory
using Span = Quantity<struct Millisecond>;         // a length of time
using Credits = Quantity<struct MicroCredit>;      // 1'000'000 = one credit
using Rate = Quantity<struct MicroCreditPerHour>;  // of a job's whole shape
using GpuTime = Quantity<struct MicroGpuSecond>;   // Gpus x Span of one job; totals are Wide

/// A point in time: milliseconds since 1970-01-01 UTC.
struct Instant {
  std::int64_t ms = 0;

  constexpr Instant() = default;
  constexpr explicit Instant(std::int64_t m) : ms(m) {}
  constexpr auto operator<=>(const Instant&) const = default;
};

constexpr Instant operator+(Instant t, Span d) {
  return Instant{(Span{t.ms} + d).count};
}
constexpr Instant operator-(Instant t, Span d) {
  return Instant{(Span{t.ms} - d).count};
}
constexpr Span operator-(Instant a, Instant b) {
  return Span{a.ms} - Span{b.ms};
}

/// Milli-GPU times millisecond is micro-GPU-second: no rounding happens here.
constexpr GpuTime operator*(Gpus g, Span d) {
  std::int64_t product = 0;
  TENBIN_ASSERT(!__builtin_mul_overflow(g.count, d.count, &product));
  return GpuTime{product};
}

/// The price of `used` time at `rate`, rounded down to a micro-credit. To bill in steps, price the
/// running total and post the difference: then the steps always add up to the price of the whole.
/// Both arguments are bounded (core/limits.h), so that the result fits.
constexpr Credits price(Span used, Rate rate) {
  constexpr std::int64_t ms_per_hour = 3'600'000;
  std::int64_t product = 0;
  if (!__builtin_mul_overflow(used.count, rate.count, &product)) {
    return Credits{product / ms_per_hour};
  }
  const Wide wide = Wide{used.count} * rate.count / ms_per_hour;
  TENBIN_ASSERT(wide <= INT64_MAX && wide >= INT64_MIN);
  return Credits{static_cast<std::int64_t>(wide)};
}

}  // namespace tenbin
