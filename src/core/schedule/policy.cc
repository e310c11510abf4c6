#include <algorithm>

#include "core/fleet/fragment.h"
#include "core/fleet/room.h"
#include "core/handlers.h"
#include "core/jobs/line.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const SetPolicy& c, Instant, Facts& facts) {
  const std::uint64_t models =
      world.models.size() == 0 ? 0 : UINT64_MAX >> (64 - world.models.size());
  if (!valid_targets(c.targets, models)) {
    return std::unexpected(
        refuse(Reason::targets_invalid, static_cast<std::int64_t>(targets_max), target_weight_max));
  }
  if (world.policy != c.policy || !std::ranges::equal(world.targets, c.targets))
    facts.add(PolicySet{c.policy, facts.list(c.targets)});
  return 0;
}

void evolve(World& world, const PolicySet& e, Instant) {
  world.policy = e.policy;
  if (world.index.lanes.order() != e.policy.order) {
    world.index.lanes = Lanes(e.policy.order);
    world.jobs.each([&](JobId id, const Job& job) {
      if (job.state == JobState::queued) enqueue(world, id, job);
    });
  }
  world.targets.assign(e.targets.begin(), e.targets.end());
  world.index.placements.forget();
  world.pools.each([&](PoolId id, const Pool&) {
    Pool& pool = world.pools.at(id);
    keep_ends(world, pool);
    if (e.policy.backfill != Backfill::none || !pool.promise.job) return;
    world.jobs.at(pool.promise.job).promised = {};  // nobody keeps promises from now on
    pool.promise = {};
  });
}

}  // namespace tenbin
