#pragma once

#include <optional>

#include "core/world.h"

namespace tenbin {

/// The id up to which prices are in force now; a job keeps it, so that later changes do not reach
/// it.
PriceId newest_price(const World& world);

/// What an hour of the whole `shape` costs in `pool` at the prices with ids up to `prices`, rounded
/// down once; none if the pool had no price then. A fraction f of a GPU costs the pool's factor x
/// f.
std::optional<Rate> rate_of(const World& world, const Pool& pool, const Shape& shape,
                            PriceId prices);

}  // namespace tenbin
