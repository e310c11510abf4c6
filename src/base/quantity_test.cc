#include "base/quantity.h"

#include <doctest/doctest.h>

#include "base/rng.h"

namespace tenbin {
namespace {

constexpr Span hour{3'600'000};

// 16 credits an hour for 2 hours is 32 credits.
static_assert(price(Span{2 * hour.count}, Rate{16'000'000}) == Credits{32'000'000});
// Half a credit an hour for one second: 138.88 micro-credits, rounded down.
static_assert(price(Span{1'000}, Rate{500'000}) == Credits{138});
// Nothing costs nothing.
static_assert(price(Span{0}, Rate{16'000'000}) == Credits{0});
// 100 million credits an hour for 400 days does not fit in 64 bits on the way, but at the end.
static_assert(price(Span{400 * 24 * hour.count}, Rate{100'000'000'000'000}) ==
              Credits{400LL * 24 * 100'000'000'000'000});
// 8 GPUs for 2 hours: 8,000 milli-GPU times 7,200,000 ms.
static_assert(Gpus{8'000} * Span{2 * hour.count} == GpuTime{57'600'000'000});
// A hundred thousand GPUs for 400 days still fit.
static_assert((Gpus{100'000'000} * Span{400 * 24 * hour.count}).count > 0);
static_assert(Instant{1'000} + Span{500} == Instant{1'500} &&
              Instant{1'500} - Instant{1'000} == Span{500});
static_assert(-Credits{7} == Credits{} - Credits{7} && Credits{1} < Credits{2});

TEST_CASE("price: the steps add up to the whole") {
  const Rate rate{2'345'678};
  Span used;
  Credits billed;
  for (int step = 0; step < 1'000; ++step) {
    used += Span{1'001};
    const Credits due = price(used, rate) - billed;
    CHECK(due >= Credits{0});
    billed += due;
  }
  CHECK(billed == price(used, rate));
}

TEST_CASE("price: the short way and the wide way agree") {
  Rng rng{1};
  for (int i = 0; i < 10'000; ++i) {
    const Span used{static_cast<std::int64_t>(rng.below(34'560'000'000))};
    const Rate rate{static_cast<std::int64_t>(rng.below(100'000'000'000'000) >> rng.below(40))};
    const Wide exact = Wide{used.count} * rate.count / hour.count;
    CHECK(price(used, rate).count == static_cast<std::int64_t>(exact));
  }
}

}  // namespace
}  // namespace tenbin
