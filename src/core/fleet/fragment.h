#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/limits.h"
#include "core/types.h"

// FGD's measure of fragmentation (Weng et al., USENIX ATC 2023): how much of what is idle is of no
// use to the jobs to come. For one kind of job all idle GPUs of a node are a fragment if the node
// cannot take the job (wrong model, too few GPUs with enough free, too few CPUs or too little
// memory) or if the job wants no GPU; else only what is idle on GPUs that have less free than the
// job wants of each. The fragment of a node is the mean over the kinds, weighted by how common they
// are.

namespace tenbin {

struct World;
struct Pool;

/// A node as far as placing something on it goes.
struct NodeView {
  std::uint64_t model = 0;  // the bit of its GPU model
  std::uint32_t devices = 0;
  std::array<std::uint16_t, gpus_per_node_max> free{};  // milli-GPU of each device
  Cpus cpus;                                            // free; cpus_max if they are not counted
  Memory memory;                                        // likewise

  std::int64_t idle() const {
    std::int64_t sum = 0;
    for (std::uint32_t d = 0; d < devices; ++d) sum += free[d];
    return sum;
  }
};
NodeView view_of(const World& world, NodeId node);

/// The kinds of jobs to be ready for, prepared for being asked about many nodes.
class Mix {
 public:
  explicit Mix(std::span<const Target> targets);

  /// The sum of all weights.
  std::int64_t weight() const { return weight_; }
  bool asks_memory() const { return asks_memory_; }
  /// The fragment of a node in milli-GPU times `weight()`. Cost: the devices times the distinct
  /// fractions among the targets, plus the targets.
  std::int64_t fragment(const NodeView& node) const;

 private:
  struct Kind {
    std::uint32_t part = 0;     // index into parts_
    std::uint32_t devices = 0;  // so many with that much free
    Cpus cpus;
    Memory memory;
    std::uint64_t models = 0;
    std::int64_t weight = 0;
  };
  std::vector<std::uint16_t> parts_;  // distinct milli-GPU that a kind wants of each device
  std::vector<Kind> kinds_;           // that want a GPU
  std::int64_t weight_ = 0, no_gpu_ = 0;
  bool asks_memory_ = false;
};

/// What placement by fragmentation gets ready for: the World's targets; if none were set, half a
/// GPU and 1, 2, 4, ... GPUs up to its largest node, all equally common.
std::vector<Target> targets_of(const World& world);

/// The fragment of a counted pool, in milli-GPU times the weights: it is one node, on which what is
/// idle is of use if it is enough.
std::int64_t counted_fragment(const Pool& pool, std::uint64_t model,
                              std::span<const Target> targets);

/// Whether the targets are ones that can be set.
bool valid_targets(std::span<const Target> targets, std::uint64_t models_there);

}  // namespace tenbin
