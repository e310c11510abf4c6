#pragma once

#include <optional>

#include "core/world.h"

namespace tenbin {

/// When and where a waiting job starts if everything that runs and waits keeps its limit and
/// nothing new comes: the same core as the live service, with a virtual clock.
struct Prediction {
  Instant at;
  PoolId pool;
};

/// Works on a copy of the World. Gives nothing if the job does not start within `instants_max`
/// instants at which something ends. Cost: a scheduling pass for each.
std::optional<Prediction> predict_start(World world, JobId job, Instant now,
                                        std::size_t instants_max);

}  // namespace tenbin
