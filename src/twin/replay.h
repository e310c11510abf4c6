#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/world.h"
#include "twin/trace.h"

namespace tenbin {

/// Where a replay's jobs run.
struct ReplayFleet {
  PoolKind kind = PoolKind::counted;
  std::uint32_t gpus = 0;   // counted: in all
  std::uint32_t nodes = 0;  // nodes of `gpus_per_node`
  std::uint32_t gpus_per_node = 8;
};

struct ReplayResult {
  std::vector<Instant> starts;  // in the order of the trace; never for a job that was refused
  std::uint64_t refused = 0;
  std::uint64_t events = 0;
  std::uint64_t history = 0;  // the World's digest
};

/// A World for a trace: one funder whose credit never runs out, one project for each user, a price
/// of one credit for a GPU hour, one pool.
World replay_world(const std::vector<TraceJob>& jobs, const ReplayFleet& fleet,
                   const Policy& policy);

/// Called after every instant with the World as it is then; may put another, equal one in its
/// place.
using AfterInstant = std::function<void(World&)>;

/// Drives `world` through the trace with a virtual clock. At one instant: first what ended, then
/// what was submitted, then `Schedule`. Jobs are what the trace says they were: they run for their
/// runtime.
ReplayResult replay(World& world, const std::vector<TraceJob>& jobs,
                    const AfterInstant& after = {});

}  // namespace tenbin
