#include "core/handlers.h"

// One epoch for each start of the service: supervisors refuse lower ones for ever after.

namespace tenbin {

Decision decide(const World& world, const Asked&, const OpenEpoch&, Instant, Facts& facts) {
  facts.add(EpochOpened{world.epoch + 1});
  return world.epoch + 1;
}

void evolve(World& world, const EpochOpened& e, Instant) {
  TENBIN_ASSERT(e.epoch == world.epoch + 1);
  world.epoch = e.epoch;
}

}  // namespace tenbin
