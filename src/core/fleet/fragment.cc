#include "core/fleet/fragment.h"

#include <algorithm>
#include <bit>

#include "core/world.h"

namespace tenbin {

NodeView view_of(const World& world, NodeId id) {
  const Node& node = world.nodes.at(id);
  const Pool& pool = world.pools.at(node.pool);
  NodeView view{.model = PoolSet::bit(pool.model.value),
                .devices = pool.gpus_per_node,
                .free = {},
                .cpus = pool.cpus > Cpus{0} ? node.cpus_free : cpus_max,
                .memory = pool.memory > Memory{0} ? node.memory_free : memory_max};
  for (std::uint32_t mask = node.free_mask; mask; mask &= mask - 1)
    view.free[static_cast<std::size_t>(std::countr_zero(mask))] = 1'000;
  for (const PartialGpu& gpu : node.partial)
    view.free[gpu.device] = static_cast<std::uint16_t>(gpu.free_milli);
  return view;
}

Mix::Mix(std::span<const Target> targets) {
  for (const Target& t : targets) {
    weight_ += t.weight;
    asks_memory_ = asks_memory_ || t.memory > Memory{0};
    if (t.gpus == Gpus{0}) {
      no_gpu_ += t.weight;
      continue;
    }
    const bool part = t.gpus < Gpus{1'000};
    const auto of_each = static_cast<std::uint16_t>(part ? t.gpus.count : 1'000);
    const auto known = std::ranges::find(parts_, of_each);
    const auto index = static_cast<std::uint32_t>(known - parts_.begin());
    if (known == parts_.end()) parts_.push_back(of_each);
    kinds_.push_back({.part = index,
                      .devices = part ? 1 : static_cast<std::uint32_t>(t.gpus.count / 1'000),
                      .cpus = t.cpus,
                      .memory = t.memory,
                      .models = t.models == 0 ? UINT64_MAX : t.models,
                      .weight = t.weight});
  }
}

std::int64_t Mix::fragment(const NodeView& node) const {
  const std::int64_t idle = node.idle();
  if (idle == 0) return 0;
  struct Part {
    std::uint32_t devices = 0;  // that have as much free
    std::int64_t useless = 0;   // what the others have
  };
  std::array<Part, 1'000> parts;  // one for each distinct fraction; the rest stays untouched
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    Part part;
    for (std::uint32_t d = 0; d < node.devices; ++d) {
      if (node.free[d] >= parts_[p]) {
        ++part.devices;
      } else {
        part.useless += node.free[d];
      }
    }
    parts[p] = part;
  }
  std::int64_t sum = no_gpu_ * idle;
  for (const Kind& k : kinds_) {
    const Part& part = parts[k.part];
    const bool fits = part.devices >= k.devices && k.cpus <= node.cpus && k.memory <= node.memory &&
                      (k.models & node.model) != 0;
    sum += k.weight * (fits ? part.useless : idle);
  }
  return sum;
}

std::vector<Target> targets_of(const World& world) {
  if (!world.targets.empty()) return world.targets;
  std::uint32_t largest = 1;
  world.pools.each(
      [&](PoolId, const Pool& pool) { largest = std::max(largest, pool.gpus_per_node); });
  std::vector<Target> usual{{.gpus = Gpus{500}, .weight = 1}};
  for (std::uint32_t gpus = 1; gpus <= largest; gpus *= 2)
    usual.push_back({.gpus = Gpus{std::int64_t{gpus} * 1'000}, .weight = 1});
  return usual;
}

std::int64_t counted_fragment(const Pool& pool, std::uint64_t model,
                              std::span<const Target> targets) {
  std::int64_t sum = 0;
  for (const Target& t : targets) {
    const bool fits = t.gpus > Gpus{0} && t.gpus <= pool.free && t.cpus == Cpus{0} &&
                      t.memory == Memory{0} && (t.models == 0 || (t.models & model) != 0);
    if (!fits) sum += t.weight * pool.free.count;
  }
  return sum;
}

bool valid_targets(std::span<const Target> targets, std::uint64_t models_there) {
  const auto valid = [&](const Target& t) {
    const bool gpus = t.gpus >= Gpus{0} && t.gpus.count <= gpus_per_node_max * 1'000 &&
                      (t.gpus.count < 1'000 || t.gpus.count % 1'000 == 0);
    return gpus && t.cpus >= Cpus{0} && t.cpus <= cpus_max && t.memory >= Memory{0} &&
           t.memory <= memory_max && (t.models & ~models_there) == 0 && t.weight > 0 &&
           t.weight <= target_weight_max;
  };
  return targets.size() <= targets_max && std::ranges::all_of(targets, valid);
}

// A fragment of one node, and what is made of it by `fragmentation`, fits: every GPU idle for the
// most targets with the largest weights, times a million.
static_assert(Wide{gpus_per_node_max} * 1'000 * targets_max * target_weight_max * 1'000'000 <
              INT64_MAX);

}  // namespace tenbin
