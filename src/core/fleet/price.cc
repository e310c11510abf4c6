#include "core/fleet/price.h"

#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const SetPrice& c, Instant, Facts& facts) {
  const PoolId pool = find_name(world.index.pools, c.pool);
  if (!pool) return std::unexpected(refuse(Reason::unknown_pool));
  if (c.gpu_hour < Credits{0} || c.gpu_hour > price_max || c.fraction_ppm < 1'000'000 ||
      c.fraction_ppm > 10'000'000) {
    return std::unexpected(refuse(Reason::price_invalid, price_max.count));
  }
  const std::vector<PriceId>& prices = world.pools.at(pool).prices;
  if (!prices.empty()) {
    const Price& last = world.prices.at(prices.back());
    if (last.gpu_hour == c.gpu_hour && last.fraction_ppm == c.fraction_ppm)
      return prices.back().value;
  }
  const PriceId id = world.prices.next_id();
  facts.add(PriceSet{id, pool, c.gpu_hour, c.fraction_ppm});
  return id.value;
}

void evolve(World& world, const PriceSet& e, Instant at) {
  const PriceId id = world.prices.add(
      {.pool = e.pool, .gpu_hour = e.gpu_hour, .fraction_ppm = e.fraction_ppm, .since = at});
  TENBIN_ASSERT(id == e.price);
  world.pools.at(e.pool).prices.push_back(id);
}

PriceId newest_price(const World& world) {
  return PriceId{world.prices.next_id().value - 1};
}

// The dearest legal shape fits: the most GPUs at the highest price and the largest factor.
static_assert(Wide{gpus_max.count / 1'000} * price_max.count * 10 < INT64_MAX);

std::optional<Rate> rate_of(const World& world, const Pool& pool, const Shape& shape,
                            PriceId prices) {
  for (auto id = pool.prices.rbegin(); id != pool.prices.rend(); ++id) {
    if (*id > prices) continue;
    const Price& price = world.prices.at(*id);
    std::int64_t one = shape.gpus.count / 1'000 * price.gpu_hour.count;
    if (const std::int64_t milli = shape.gpus.count % 1'000) {
      one += static_cast<std::int64_t>(Wide{milli} * price.gpu_hour.count * price.fraction_ppm /
                                       (Wide{1'000} * 1'000'000));
    }
    const std::int64_t rate = one * shape.members;
    // A shape dearer than the largest legal rate has no price, like a pool without one.
    if (rate > rate_max.count) return std::nullopt;
    return Rate{rate};
  }
  return std::nullopt;
}

}  // namespace tenbin
