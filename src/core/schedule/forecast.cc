#include <algorithm>

#include "core/fleet/room.h"
#include "core/schedule/schedule.h"

// When would a job start if what runs keeps its limits? In a counted pool that is a sum over
// expected ends. In a pool of nodes it is worked out on the nodes themselves: they empty, one
// expected end after the other, until the job has room.

namespace tenbin {

namespace {

/// A node as it will be once some of what runs there has ended.
struct FutureNode {
  NodeId id;
  std::uint32_t whole = 0;  // wholly free devices
  Cpus cpus;
  Memory memory;
  SmallVector<PartialGpu, 2> partial;
};

class Emptying {
 public:
  Emptying(const World& world, const Pool& pool, const Shape& shape)
      : world_(world), pool_(pool), shape_(shape) {
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
    place_.resize(pool.nodes.size());
    const auto by_buckets = [](Gpus gpus) { return gpus == Gpus{0} || gpus.count >= 1'000; };
    if (pool.cpus == Cpus{0} && pool.memory == Memory{0} && by_buckets(each_) &&
        by_buckets(rest_)) {
      for (std::uint32_t whole = 1; whole <= pool.gpus_per_node; ++whole) {
        count(whole * 1'000 >= each_.count, whole * 1'000 >= rest_.count,
              static_cast<std::int32_t>(pool.count_by_whole[whole]));
      }
      return;
    }
    for (std::uint32_t p = 0; p < pool.nodes.size(); ++p) count(future(p), +1);
  }

  void end(const Job& job) {
    for (const Slice& slice : job.slices) {
      FutureNode& node = future(world_.nodes.at(slice.node).position);
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
  std::vector<NodeId> nodes() {
    std::vector<NodeId> chosen;
    std::uint32_t left = wanted_;
    bool rest = rest_ > Gpus{0};
    for (std::uint32_t p = 0; rest && p < place_.size(); ++p) {
      const FutureNode& n = future(p);
      if (!takes(n, each_) && takes(n, rest_)) {
        chosen.push_back(n.id);
        rest = false;
      }
    }
    for (std::uint32_t p = 0; p < place_.size(); ++p) {
      const FutureNode& n = future(p);
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
  // Most nodes are never looked at: what is known of the others by number is enough.
  FutureNode& future(std::uint32_t position) {
    std::uint32_t& place = place_[position];
    if (place == 0) {
      const NodeId id = pool_.nodes[position];
      const Node& n = world_.nodes.at(id);
      nodes_.push_back({n.state == NodeState::up ? id : NodeId{},  // else it takes nothing new
                        n.free_whole(),
                        n.cpus_free,
                        n.memory_free,
                        {}});
      for (const PartialGpu& gpu : n.partial) nodes_.back().partial.push_back(gpu);
      place = static_cast<std::uint32_t>(nodes_.size());
    }
    return nodes_[place - 1];
  }
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
  void count(const FutureNode& n, std::int32_t nodes) {
    count(takes(n, each_), takes(n, rest_), nodes);
  }
  void count(bool takes_main, bool takes_rest, std::int32_t nodes) {
    if (takes_main) {
      main_ += static_cast<std::uint32_t>(nodes);
    } else if (rest_ > Gpus{0} && takes_rest) {
      for_rest_only_ += static_cast<std::uint32_t>(nodes);
    }
  }

  const World& world_;
  const Pool& pool_;
  const Shape& shape_;
  std::uint32_t wanted_ = 0;
  Gpus each_, rest_;
  std::uint32_t main_ = 0, for_rest_only_ = 0;  // nodes that could take a main part; only the rest
  std::vector<FutureNode> nodes_;               // in the order in which they were first looked at
  std::vector<std::uint32_t> place_;  // by position: 1 + where it lies in nodes_, 0 if not yet
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
    emptying.end(world.jobs.at(end.job));
    found = found || emptying.enough();
    return true;
  });
  if (!found) return {never, Gpus{0}, {}};
  return {at, Gpus{0}, emptying.nodes()};
}

}  // namespace tenbin
