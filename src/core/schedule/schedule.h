#pragma once

#include "core/world.h"

namespace tenbin {

/// The next thing that scheduling makes true at `now`: a job that can never start is cancelled, or
/// one JobStarted, PromiseMoved or TaskParted is added to `facts` (a start with a CreditExpired if
/// its place lets go of credit that has expired), or false when nothing is left to do. It keeps no
/// state of its own: asking again after `record` gives the next step.
///
/// In the order of the policy: first come, first served, or the shortest limit first. A job that
/// does not fit closes the pools that it permits to later jobs; with EASY backfill it is promised
/// the earliest expected start in one of them instead, and later jobs may pass it there if that
/// start is not delayed. (EASY: Mu'alem and Feitelson, IEEE TPDS 12(6), 2001.)
///
/// Cost: the number of distinct sets of permitted pools, times finding room; backfill candidates
/// are found by index.
bool next_step(const World& world, Instant now, Facts& facts);

/// Takes steps, each recorded before the next is thought of, until nothing is left to do.
void schedule(World& world, Instant now, Facts& facts);

/// Up to which job a pass need not look again when this one has joined the queue, if that was
/// `rested` before: first come, first served, not even at this one behind a blocked job that
/// permits the same pools.
JobId rested_behind(const World& world, JobId rested, const JobQueued& e);

constexpr Instant never{INT64_MAX};

/// When a blocked job could start in a pool if everything that runs there keeps its limit.
struct Forecast {
  Instant at;                 // never, if not even an empty pool has room
  Gpus spare;                 // counted pools: free then, beside the job
  std::vector<NodeId> nodes;  // pools of nodes, sorted
  bool keeps = false;         // what was promised before still holds: `nodes` is empty
};

/// Forecasts; it keeps nothing but its memory.
class Forecaster {
 public:
  explicit Forecaster(const World& world) : world_(world) {}
  /// `kept`: what the job was promised in this pool, or null; it is kept if it is still as early
  /// as can be. The result is good until the next call. Cost: counted pools, the blocks of ends
  /// until then; pools of nodes, the nodes; what runs there too if the job asks for CPUs, memory or
  /// a part of a GPU.
  const Forecast& of(const Pool& pool, const Shape& shape, Instant now, const Promise* kept);

 private:
  std::span<const std::int64_t> by_node(const Pool& pool, const Shape& shape, Gpus gpus,
                                        std::vector<std::int64_t>& own) const;

  const World& world_;
  Forecast result_;
  std::vector<std::int64_t> main_, rest_, sorted_;
};

}  // namespace tenbin
