#include "core/fleet/room.h"
#include "core/handlers.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const SetPolicy& c, Instant, Facts& facts) {
  if (world.policy != c.policy) facts.add(PolicySet{c.policy});
  return 0;
}

void evolve(World& world, const PolicySet& e, Instant) {
  world.policy = e.policy;
  world.pools.each([&](PoolId id, const Pool&) {
    Pool& pool = world.pools.at(id);
    keep_ends(world, pool);
    if (e.policy.backfill != Backfill::none || !pool.promise.job) return;
    world.jobs.at(pool.promise.job).promised = {};  // nobody keeps promises from now on
    pool.promise = {};
  });
}

}  // namespace tenbin
