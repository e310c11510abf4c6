#pragma once

#include "core/world.h"

// Which credit pays: the one place that knows the order of consumption.

namespace tenbin {

/// What pays for one job: rarely more than a lot or two.
using Legs = SmallVector<Leg, 4>;

/// The order in which lots are consumed: earliest expiry, then the narrowest eligibility, then the
/// oldest validity, then the lowest id. Published in docs/ledger.md; any change is a decision.
bool consumed_before(const World& world, LotId a, LotId b);

/// Sorts shares into the order in which their lots are consumed; those of one lot by id.
void sort_shares(const World& world, std::vector<ShareId>& shares);

/// Picks what pays `need` for work of `project` in `region` at `now`, in order of consumption.
/// `pinned` is what the job's own hold has pinned so far: it counts as free for this job, and on a
/// lot that has expired it is still good. `taken` is what others took within the same decision.
/// Fills `legs` (which then add up to min(need, result)) and returns what could be found.
/// Cost: the project's shares.
Credits pick_legs(const World& world, ProjectId project, RegionId region, Credits need, Instant now,
                  std::span<const Leg> pinned, std::span<const Leg> taken, Legs& legs);

/// What `project` could spend in `region` now, and the earliest expiry among the lots that count.
struct Spendable {
  Credits amount;
  Instant until;
};
Spendable spendable(const World& world, ProjectId project, RegionId region, Instant now);

/// Splits `amount` over `legs` in their order: what a charge takes from each.
std::span<const Leg> split(Facts& facts, std::span<const Leg> legs, Credits amount);

/// Adds a CreditExpired for what a release of `legs` less `captures` gives back to lots that have
/// expired, if there is any.
void expire_released(const World& world, std::span<const Leg> legs, std::span<const Leg> captures,
                     Facts& facts);

}  // namespace tenbin
