#include <algorithm>

#include "core/fleet/room.h"
#include "core/schedule/schedule.h"

// When would a job start if what runs keeps its limits? In a counted pool that is a sum over expected
// ends. In a pool of nodes it is worked out on the nodes themselves: they empty, one expected end
// after the other, until the job has room.

namespace tenbin {

namespace {

/// A node as it will be once some of what runs there has ended.
struct FutureNode {
  NodeId id;
  std::uint32_t whole = 0;     // wholly free devices
  Cpus cpus;
  Memory memory;
  SmallVector<PartialGpu, 2> partial;
};

class Emptying {
 public:
  Emptying(const World& world, const Pool& pool, const Shape& shape) : pool_(pool), shape_(shape) {
    const std::int64_t node = std::int64_t{pool.gpus_per_node} * 1'000;
    if (shape.packing == Packing::members) {
      wanted_ = shape.members;
      each_ = shape.gpus;
    } else if (shape.gpus.count <= node) {
      wanted_ = 1;
      each_ = shape.gpus;
    } else {
      wanted_ = static_cast<std::uint32_t>(shape.gpus.count / node);
      each_ = Gpus{node};
      rest_ = Gpus{shape.gpus.count % node};
    }
    nodes_.reserve(pool.nodes.size());
    for (const NodeId id : pool.nodes) {
      const Node& n = world.nodes.at(id);
      FutureNode future{id, n.free_whole(), n.cpus_free, n.memory_free, {}};
      for (const PartialGpu& gpu : n.partial) future.partial.push_back(gpu);
      if (n.state != NodeState::up) future.id = NodeId{};  // takes nothing new
      nodes_.push_back(std::move(future));
      count(nodes_.back(), +1);
    }
  }

  void end(const World& world, const Job& job) {
    for (const Slice& slice : job.slices) {
      FutureNode& node = nodes_[world.nodes.at(slice.node).position];
      count(node, -1);
      if (slice.milli == 0) {
        node.whole += static_cast<std::uint32_t>(std::popcount(slice.mask));
      } else {
        const auto device = static_cast<std::uint32_t>(std::countr_zero(slice.mask));
        for (PartialGpu& gpu : node.partial) {
          if (gpu.device != device) continue;
          gpu.free_milli += slice.milli;
          if (gpu.free_milli == 1'000) {
            ++node.whole;
            gpu.free_milli = 0;
            gpu.device = UINT32_MAX;
          }
        }
      }
      node.cpus += job.shape.cpus;
      node.memory += job.shape.memory;
      count(node, +1);
    }
  }

  bool enough() const {
    if (main_ < wanted_) return false;
    // A node for the rest that is not needed as a whole one.
    return rest_ == Gpus{0} || main_ > wanted_ || for_rest_only_ > 0;
  }

  /// The nodes on which the job would lie.
  std::vector<NodeId> nodes() const {
    std::vector<NodeId> chosen;
    std::uint32_t left = wanted_;
    bool rest = rest_ > Gpus{0};
    for (const FutureNode& n : nodes_) {
      if (rest && !takes(n, each_) && takes(n, rest_)) {
        chosen.push_back(n.id);
        rest = false;
      }
    }
    for (const FutureNode& n : nodes_) {
      if (!takes(n, each_)) continue;
      if (left > 0) {
        --left;
      } else if (rest) {
        rest = false;
      } else {
        break;
      }
      chosen.push_back(n.id);
    }
    std::ranges::sort(chosen);
    return chosen;
  }

 private:
  bool takes(const FutureNode& n, Gpus gpus) const {
    if (!n.id) return false;
    if (pool_.cpus > Cpus{0} && n.cpus < shape_.cpus) return false;
    if (pool_.memory > Memory{0} && n.memory < shape_.memory) return false;
    if (gpus.count >= 1'000) return n.whole * 1'000 >= gpus.count;
    if (n.whole > 0) return true;
    for (const PartialGpu& gpu : n.partial) {
      if (gpu.free_milli >= gpus.count) return true;
    }
    return false;
  }
  void count(const FutureNode& n, int sign) {
    const bool main = takes(n, each_);
    if (main) {
      main_ += static_cast<std::uint32_t>(sign);
    } else if (rest_ > Gpus{0} && takes(n, rest_)) {
      for_rest_only_ += static_cast<std::uint32_t>(sign);
    }
  }

  const Pool& pool_;
  const Shape& shape_;
  std::uint32_t wanted_ = 0;
  Gpus each_, rest_;
  std::uint32_t main_ = 0, for_rest_only_ = 0;  // nodes that could take a main part; only the rest
  std::vector<FutureNode> nodes_;
};

}  // namespace

Forecast forecast(const World& world, const Pool& pool, const Shape& shape, Instant now) {
  if (pool.kind == PoolKind::counted) {
    const Gpus need = shape.all_gpus();
    const Ends::Shadow shadow = pool.ends.shadow(need, pool.free);
    if (!shadow.found) return {never, Gpus{0}, {}};
    return {std::max(now, shadow.at), shadow.free - need, {}};
  }
  Emptying emptying(world, pool, shape);
  Instant at = now;
  bool found = emptying.enough();
  pool.ends.each([&](const Ends::End& end) {
    if (found && end.at > at) return false;  // all that end at one instant are counted
    at = std::max(now, end.at);
    emptying.end(world, world.jobs.at(end.job));
    found = found || emptying.enough();
    return true;
  });
  if (!found) return {never, Gpus{0}, {}};
  return {at, Gpus{0}, emptying.nodes()};
}

}  // namespace tenbin
