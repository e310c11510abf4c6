#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "core/fleet/fragment.h"
#include "core/world.h"
#include "twin/trace.h"

namespace tenbin {

/// The kinds of jobs in a trace, the most common first, until they cover `cover_ppm` of its jobs:
/// those that FGD gets ready for, and by which fragmentation is measured. A kind is what one member
/// asks of a node in GPUs, CPUs and models, not in memory (as the authors of FGD have it). At most
/// targets_max. `models` are the fleet's ids of TraceNames::models, none where the fleet has no
/// such GPU; a bare count of GPUs above `largest_node` counts as a whole node.
std::vector<Target> typical_targets(std::span<const TraceJob> jobs,
                                    std::span<const GpuModelId> models, std::uint32_t largest_node,
                                    std::uint64_t cover_ppm = 950'000);

/// Follows how much of a World's idle GPUs is of no use to the jobs to come
/// (core/fleet/fragment.h).
///
///   Fragmentation fragmentation(world, typical_targets(...));
///   for (const Event& event : facts.events()) fragmentation.after(world, event);
///   fragmentation.percent();
///
/// Cost: a look at the nodes that a job came to or left; `after` with an event that moves nothing
/// is a comparison.
class Fragmentation {
 public:
  /// Without targets: those that the World's placement gets ready for.
  Fragmentation(const World& world, std::vector<Target> targets);

  /// Takes in an event that `world` has taken in already.
  void after(const World& world, const Event& event);

  /// In GPUs, and of all GPUs of nodes that are up and counted pools, in per cent (0 to 100).
  double gpus() const;
  double percent() const;

 private:
  struct Place {
    PoolId pool;
    SmallVector<NodeId, 2> nodes;
  };
  struct Part {
    std::int64_t fragment = 0, all = 0;  // milli-GPU, the former times the weights
  };
  void set(Part& part, Part now);
  void look(const World& world, NodeId node);
  void look(const World& world, PoolId pool);  // counted
  void came(const World& world, JobId job, PoolId pool, std::span<const Slice> slices);
  void went(const World& world, JobId job);

  std::vector<Target> targets_;
  Mix mix_;
  std::vector<Part> nodes_, pools_;  // by id
  std::unordered_map<std::uint64_t, Place> running_;
  Wide fragment_ = 0, all_ = 0;
};

}  // namespace tenbin
