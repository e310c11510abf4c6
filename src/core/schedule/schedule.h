#pragma once

#include "core/world.h"

namespace tenbin {

/// The next thing that scheduling makes true at `now`: a job that can never start is cancelled, or
/// one JobStarted, PromiseMoved or TaskParted is added to `facts` (a start with a CreditExpired if
/// its place lets go of credit that has expired), or false when nothing is left to do. It keeps no
/// state of its own: asking again after `record` gives the next step.
///
/// First come, first served, in order of submission. A job that does not fit closes the pools that
/// it permits to later jobs; with EASY backfill it is promised the earliest expected start in one
/// of them instead, and later jobs may pass it there if that start is not delayed. (EASY: Mu'alem
/// and Feitelson, IEEE TPDS 12(6), 2001.)
///
/// Cost: the number of distinct sets of permitted pools, times finding room; backfill candidates
/// are found by index.
bool next_step(const World& world, Instant now, Facts& facts);

/// Takes steps, each recorded before the next is thought of, until nothing is left to do.
void schedule(World& world, Instant now, Facts& facts);

/// Whether a World in which nothing can start stays so when this job joins the queue: first come,
/// first served, behind a blocked job that permits the same pools.
bool stays_at_rest(const World& world, const JobQueued& e);

/// When a blocked job could start in `pool` if everything that runs there keeps its limit.
struct Forecast {
  Instant at;                 // never, if not even an empty pool has room
  Gpus spare;                 // counted pools
  std::vector<NodeId> nodes;  // pools of nodes, sorted
};
constexpr Instant never{INT64_MAX};
Forecast forecast(const World& world, const Pool& pool, const Shape& shape, Instant now);

}  // namespace tenbin
