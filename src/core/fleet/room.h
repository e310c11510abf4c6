#pragma once

#include "core/world.h"

// Where a job can lie: the indexes of a pool, and the search in them. Placement is best fit: of the
// nodes that can take a member, one with the fewest free GPUs, the lowest first.

namespace tenbin {

/// Where one job lies; larger gangs take a heap block.
using Slices = SmallVector<Slice, 8>;

/// Whether `shape` could run in `pool` if nothing else did. Cost: constant.
bool fits_empty(const Pool& pool, const Shape& shape);

/// Finds room for `shape` in `pool` now, off the nodes in `avoid` (sorted). Fills `slices` in rank
/// order (none in a counted pool). Cost: the members, plus the nodes passed over for want of CPUs
/// or memory.
bool find_room(const World& world, const Pool& pool, const Shape& shape,
               std::span<const NodeId> avoid, Slices& slices);

// Upkeep of the indexes, for evolve and reindex.
void open_pool(Pool& pool);                 // an empty pool's indexes
void join_pool(World& world, NodeId node);  // a node with nothing on it
void set_state(World& world, NodeId node, NodeState state);
void take(World& world, Pool& pool, const Job& job);       // job.slices, or its GPUs from the count
void give_back(World& world, Pool& pool, const Job& job);  // counts a release
void occupy(World& world, JobId id, Job& job);             // an attempt starts in job.pool ...
void leave(World& world, JobId id, Job& job);              // ... and is over
void keep_ends(World& world, Pool& pool);                  // after the policy has changed

/// What runs on a node, in id order. Cost: all that runs in its pool.
std::vector<JobId> running_on(const World& world, NodeId node);

}  // namespace tenbin
