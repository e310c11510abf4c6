#include "core/fleet/room.h"

#include <algorithm>
#include <bit>

namespace tenbin {

namespace {

/// The whole nodes and the rest that a bare count needs in a pool of nodes.
struct CountNeed {
  std::uint32_t nodes = 0;  // wholly free ones
  Gpus rest;
};
CountNeed count_need(const Pool& pool, Gpus gpus) {
  const std::int64_t node = std::int64_t{pool.gpus_per_node} * 1'000;
  if (gpus.count <= node) return {0, gpus};
  return {static_cast<std::uint32_t>(gpus.count / node), Gpus{gpus.count % node}};
}

bool node_offers(const Pool& pool, const Shape& shape) {
  return (pool.cpus == Cpus{0} || shape.cpus <= pool.cpus) &&
         (pool.memory == Memory{0} || shape.memory <= pool.memory);
}

/// The lowest `count` devices of `mask`.
std::uint32_t lowest(std::uint32_t mask, std::uint32_t count) {
  std::uint32_t rest = mask;
  for (; count > 0; --count) rest &= rest - 1;
  return mask & ~rest;
}

/// The search for one job: which nodes may be used, and which it uses already.
class Search {
 public:
  Search(const World& world, const Pool& pool, const Shape& shape, std::span<const NodeId> avoid,
         Slices& slices)
      : world_(world), pool_(pool), shape_(shape), avoid_(avoid), slices_(slices) {
    slices_.clear();
  }

  // `members` nodes with `gpus` each, on nodes of their own.
  bool members(std::uint32_t members, Gpus gpus) {
    if (gpus == Gpus{0}) return bare(members);
    return gpus.count < 1'000 ? fractions(members, static_cast<std::uint32_t>(gpus.count))
                              : whole(members, static_cast<std::uint32_t>(gpus.count / 1'000));
  }

 private:
  bool usable(const Node& node, NodeId id) const {
    if (pool_.cpus > Cpus{0} && node.cpus_free < shape_.cpus) return false;
    if (pool_.memory > Memory{0} && node.memory_free < shape_.memory) return false;
    return avoid_.empty() || !std::ranges::binary_search(avoid_, id);
  }
  bool used(NodeId id) const {
    return std::ranges::any_of(slices_, [&](const Slice& s) { return s.node == id; });
  }

  bool whole(std::uint32_t wanted, std::uint32_t gpus) {
    if (wanted > 1) {
      std::uint32_t could = 0;
      for (std::uint32_t f = gpus; f <= pool_.gpus_per_node; ++f) could += pool_.count_by_whole[f];
      if (could < wanted) return false;
    }
    // The remainder of a bare count comes after whole nodes, which were taken from the lowest on.
    const std::size_t after_whole_nodes =
        slices_.empty() ? 0 : world_.nodes.at(slices_.back().node).position + std::size_t{1};
    for (std::uint64_t some = pool_.some_by_whole >> gpus << gpus; some; some &= some - 1) {
      const auto f = static_cast<std::uint32_t>(std::countr_zero(some));
      const PositionSet& nodes = pool_.by_whole[f];
      const std::size_t first = f == pool_.gpus_per_node ? after_whole_nodes : 0;
      for (std::size_t p = nodes.next(first); p != PositionSet::none; p = nodes.next(p + 1)) {
        const NodeId id = pool_.nodes[p];
        const Node& node = world_.nodes.at(id);
        if (!usable(node, id)) continue;
        slices_.push_back({id, f == gpus ? node.free_mask : lowest(node.free_mask, gpus), 0});
        if (--wanted == 0) return true;
      }
    }
    return false;
  }

  // Members that want no GPU go where the fewest are free.
  bool bare(std::uint32_t wanted) {
    for (const PositionSet& nodes : pool_.by_whole) {
      for (std::size_t p = nodes.next(0); p != PositionSet::none; p = nodes.next(p + 1)) {
        const NodeId id = pool_.nodes[p];
        if (!usable(world_.nodes.at(id), id)) continue;
        slices_.push_back({id, 0, 0});
        if (--wanted == 0) return true;
      }
    }
    return false;
  }

  bool fractions(std::uint32_t wanted, std::uint32_t milli) {
    for (auto it = pool_.partial.lower_bound({milli, 0, 0}); it != pool_.partial.end(); ++it) {
      const auto [free, position, device] = *it;
      const NodeId id = pool_.nodes[position];
      if (!usable(world_.nodes.at(id), id) || used(id)) continue;
      slices_.push_back({id, std::uint32_t{1} << device, milli});
      if (--wanted == 0) return true;
    }
    for (std::uint32_t f = 1; f <= pool_.gpus_per_node; ++f) {
      if (pool_.count_by_whole[f] == 0) continue;
      const PositionSet& nodes = pool_.by_whole[f];
      for (std::size_t p = nodes.next(0); p != PositionSet::none; p = nodes.next(p + 1)) {
        const NodeId id = pool_.nodes[p];
        const Node& node = world_.nodes.at(id);
        if (!usable(node, id) || used(id)) continue;
        slices_.push_back({id, node.free_mask & -node.free_mask, milli});
        if (--wanted == 0) return true;
      }
    }
    return false;
  }

  const World& world_;
  const Pool& pool_;
  const Shape& shape_;
  std::span<const NodeId> avoid_;
  Slices& slices_;
};

void enter_bucket(Pool& pool, const Node& node, std::uint32_t whole) {
  pool.by_whole[whole].set(node.position);
  ++pool.count_by_whole[whole];
  pool.some_by_whole |= std::uint64_t{1} << whole;
}
void leave_bucket(Pool& pool, const Node& node, std::uint32_t whole) {
  pool.by_whole[whole].clear(node.position);
  const std::uint64_t none_left = --pool.count_by_whole[whole] == 0 ? 1 : 0;
  pool.some_by_whole &= ~(none_left << whole);
}

/// Puts an up node into its pool's indexes.
void list_node(Pool& pool, const Node& node) {
  if (node.state != NodeState::up) return;
  const std::uint32_t whole = node.free_whole();
  enter_bucket(pool, node, whole);
  pool.free += node.free();
  for (const PartialGpu& gpu : node.partial) {
    pool.partial.emplace(gpu.free_milli, node.position, gpu.device);
  }
}

/// Takes it out again.
void unlist_node(Pool& pool, const Node& node) {
  if (node.state != NodeState::up) return;
  const std::uint32_t whole = node.free_whole();
  leave_bucket(pool, node, whole);
  pool.free -= node.free();
  for (const PartialGpu& gpu : node.partial) {
    pool.partial.erase({gpu.free_milli, node.position, gpu.device});
  }
}

/// Keeps a node out of its pool's indexes while what lies on it changes.
class Unlisted {
 public:
  Unlisted(Pool& pool, Node& node) : pool_(pool), node_(node) { unlist_node(pool_, node_); }
  ~Unlisted() { list_node(pool_, node_); }
  Unlisted(const Unlisted&) = delete;
  Unlisted& operator=(const Unlisted&) = delete;

 private:
  Pool& pool_;
  Node& node_;
};

/// Works out anew when each number of GPUs is free on a node.
void keep_emptied(Pool& pool, const Node& node) {
  const auto put = [&](std::uint32_t whole, std::int64_t at) {
    pool.emptied[whole][node.position] = at;
  };
  if (node.state != NodeState::up) {
    for (std::uint32_t whole = 1; whole <= pool.gpus_per_node; ++whole) put(whole, INT64_MAX);
    return;
  }
  std::uint32_t whole = 0;
  while (whole < node.free_whole()) put(++whole, INT64_MIN);
  SmallVector<PartialGpu, 4> partial;
  for (const PartialGpu& gpu : node.partial) partial.push_back(gpu);
  for (const Tenant& tenant : node.tenants) {
    if (tenant.milli == 0) {
      for (auto n = std::popcount(tenant.mask); n > 0; --n) put(++whole, tenant.end.ms);
      continue;
    }
    for (PartialGpu& gpu : partial) {
      if (std::uint32_t{1} << gpu.device != tenant.mask) continue;
      gpu.free_milli += tenant.milli;
      if (gpu.free_milli == 1'000) put(++whole, tenant.end.ms);
    }
  }
  TENBIN_ASSERT(whole == pool.gpus_per_node);
}

PartialGpu* find_partial(Node& node, std::uint32_t device) {
  for (PartialGpu& gpu : node.partial) {
    if (gpu.device == device) return &gpu;
  }
  return nullptr;
}

/// Gives a node other wholly free devices: it moves to another bucket, its parts stay listed.
void set_free_mask(Pool& pool, Node& node, std::uint32_t mask) {
  const std::uint32_t before = node.free_whole();
  node.free_mask = mask;
  if (node.state != NodeState::up) return;
  const std::uint32_t after = node.free_whole();
  leave_bucket(pool, node, before);
  enter_bucket(pool, node, after);
  pool.free += Gpus{(std::int64_t{after} - std::int64_t{before}) * 1'000};
}

void take_part(Node& node, const Slice& slice) {
  const auto device = static_cast<std::uint32_t>(std::countr_zero(slice.mask));
  if (node.free_mask & slice.mask) {
    node.free_mask &= ~slice.mask;
    node.partial.push_back({device, 1'000 - slice.milli});
    return;
  }
  PartialGpu* gpu = find_partial(node, device);
  TENBIN_ASSERT(gpu && gpu->free_milli >= slice.milli);
  gpu->free_milli -= slice.milli;
}

void give_part(Node& node, const Slice& slice) {
  PartialGpu* gpu = find_partial(node, static_cast<std::uint32_t>(std::countr_zero(slice.mask)));
  TENBIN_ASSERT(gpu != nullptr);
  gpu->free_milli += slice.milli;
  TENBIN_ASSERT(gpu->free_milli <= 1'000);
  if (gpu->free_milli < 1'000) return;
  node.free_mask |= slice.mask;
  *gpu = node.partial.back();
  node.partial.pop_back();
}

void take_slice(Pool& pool, Node& node, const Slice& slice) {
  if (slice.milli == 0) {
    TENBIN_ASSERT((node.free_mask & slice.mask) == slice.mask);
    set_free_mask(pool, node, node.free_mask & ~slice.mask);
  } else {
    const Unlisted out(pool, node);
    take_part(node, slice);
  }
}

void give_slice(Pool& pool, Node& node, const Slice& slice) {
  if (slice.milli == 0) {
    TENBIN_ASSERT((node.free_mask & slice.mask) == 0);
    set_free_mask(pool, node, node.free_mask | slice.mask);
  } else {
    const Unlisted out(pool, node);
    give_part(node, slice);
  }
}

}  // namespace

bool fits_empty(const Pool& pool, const Shape& shape) {
  if (pool.kind == PoolKind::counted) {
    return shape.all_gpus() <= pool.counted && shape.cpus == Cpus{0} && shape.memory == Memory{0};
  }
  if (!node_offers(pool, shape)) return false;
  const auto node = Gpus{std::int64_t{pool.gpus_per_node} * 1'000};
  if (shape.packing == Packing::members) {
    return shape.gpus <= node && shape.members <= pool.nodes.size();
  }
  const CountNeed need = count_need(pool, shape.gpus);
  return need.nodes + (need.rest > Gpus{0} ? 1u : 0u) <= pool.nodes.size();
}

bool find_room(const World& world, const Pool& pool, const Shape& shape,
               std::span<const NodeId> avoid, Slices& slices) {
  slices.clear();
  if (shape.all_gpus() > pool.free) return false;
  if (pool.kind == PoolKind::counted) return true;
  Search search(world, pool, shape, avoid, slices);
  if (shape.packing == Packing::members) return search.members(shape.members, shape.gpus);
  const CountNeed need = count_need(pool, shape.gpus);
  const auto node = Gpus{std::int64_t{pool.gpus_per_node} * 1'000};
  if (need.nodes > 0 && !search.members(need.nodes, node)) return false;
  return need.rest == Gpus{0} || search.members(1, need.rest);
}

void open_pool(Pool& pool) {
  pool.free = pool.kind == PoolKind::counted ? pool.counted : Gpus{0};
  pool.nodes.clear();
  pool.partial.clear();
  pool.running.clear();
  pool.ends = {};
  pool.emptied.assign(pool.gpus_per_node + 1, {});
  pool.by_whole.assign(pool.gpus_per_node + 1, {});
  pool.count_by_whole.assign(pool.gpus_per_node + 1, 0);
  pool.some_by_whole = 0;
}

void join_pool(World& world, NodeId id) {
  Node& node = world.nodes.at(id);
  Pool& pool = world.pools.at(node.pool);
  node.position = static_cast<std::uint32_t>(pool.nodes.size());
  node.free_mask = static_cast<std::uint32_t>((std::uint64_t{1} << pool.gpus_per_node) - 1);
  node.cpus_free = pool.cpus;
  node.memory_free = pool.memory;
  node.partial.clear();
  node.tenants.clear();
  pool.nodes.push_back(id);
  for (auto& by_position : pool.emptied) by_position.push_back(INT64_MIN);
  if (world.policy.backfill != Backfill::none) keep_emptied(pool, node);
  list_node(pool, node);
  world.index.placements.forget();
}

void set_state(World& world, NodeId id, NodeState state) {
  Node& node = world.nodes.at(id);
  Pool& pool = world.pools.at(node.pool);
  {
    const Unlisted out(pool, node);
    node.state = state;
  }
  if (world.policy.backfill != Backfill::none) keep_emptied(pool, node);
  world.index.placements.changed(id);
}

void take(World& world, Pool& pool, const Job& job) {
  if (pool.kind == PoolKind::counted) {
    pool.free -= job.shape.all_gpus();
    TENBIN_ASSERT(pool.free >= Gpus{0});
    return;
  }
  for (const Slice& slice : job.slices) {
    Node& node = world.nodes.at(slice.node);
    take_slice(pool, node, slice);
    if (pool.cpus > Cpus{0}) node.cpus_free -= job.shape.cpus;
    if (pool.memory > Memory{0}) node.memory_free -= job.shape.memory;
    TENBIN_ASSERT(node.cpus_free >= Cpus{0} && node.memory_free >= Memory{0});
  }
}

void give_back(World& world, Pool& pool, const Job& job) {
  ++pool.releases;
  if (pool.kind == PoolKind::counted) {
    pool.free += job.shape.all_gpus();
    TENBIN_ASSERT(pool.free <= pool.counted);
    return;
  }
  for (const Slice& slice : job.slices) {
    Node& node = world.nodes.at(slice.node);
    give_slice(pool, node, slice);
    if (pool.cpus > Cpus{0}) node.cpus_free += job.shape.cpus;
    if (pool.memory > Memory{0}) node.memory_free += job.shape.memory;
  }
}

namespace {

void add_end(World& world, Pool& pool, JobId id, const Job& job) {
  const Instant end = job.expected_end();
  if (pool.kind == PoolKind::counted) {
    pool.ends.insert(end, job.shape.all_gpus());
    return;
  }
  for (const Slice& slice : job.slices) {
    Node& node = world.nodes.at(slice.node);
    auto place = node.tenants.end();
    while (place != node.tenants.begin() && (place - 1)->end > end) --place;
    node.tenants.insert(place, {end, id, slice.mask, slice.milli});
    keep_emptied(pool, node);
  }
}

void remove_end(World& world, Pool& pool, JobId id, const Job& job) {
  if (pool.kind == PoolKind::counted) {
    pool.ends.erase(job.expected_end(), job.shape.all_gpus());
    return;
  }
  for (const Slice& slice : job.slices) {
    Node& node = world.nodes.at(slice.node);
    const auto place = std::ranges::find(node.tenants, id, &Tenant::job);
    TENBIN_ASSERT(place != node.tenants.end());
    node.tenants.erase(place);
    keep_emptied(pool, node);
  }
}

}  // namespace

void occupy(World& world, JobId id, Job& job) {
  Pool& pool = world.pools.at(job.pool);
  job.seat = static_cast<std::uint32_t>(pool.running.size());
  pool.running.push_back(id);
  take(world, pool, job);
  if (world.policy.backfill != Backfill::none) add_end(world, pool, id, job);
  world.index.placements.came(job);
}

void leave(World& world, JobId id, Job& job) {
  Pool& pool = world.pools.at(job.pool);
  TENBIN_ASSERT(pool.running[job.seat] == id);
  const JobId last = pool.running.back();
  pool.running[job.seat] = last;
  world.jobs.at(last).seat = job.seat;
  pool.running.pop_back();
  give_back(world, pool, job);
  if (world.policy.backfill != Backfill::none) remove_end(world, pool, id, job);
  world.index.placements.went(job);
}

void keep_ends(World& world, Pool& pool) {
  pool.ends = {};
  for (const NodeId id : pool.nodes) world.nodes.at(id).tenants.clear();
  if (world.policy.backfill == Backfill::none) return;
  for (const JobId id : pool.running) {
    const Job& job = world.jobs.at(id);
    for (const Slice& slice : job.slices) {
      auto& tenants = world.nodes.at(slice.node).tenants;
      tenants.push_back({job.expected_end(), id, slice.mask, slice.milli});
    }
    if (pool.kind == PoolKind::counted) pool.ends.insert(job.expected_end(), job.shape.all_gpus());
  }
  for (const NodeId id : pool.nodes) {
    Node& node = world.nodes.at(id);
    std::ranges::stable_sort(node.tenants, {}, &Tenant::end);
    keep_emptied(pool, node);
  }
}

std::vector<JobId> running_on(const World& world, NodeId node) {
  std::vector<JobId> here;
  for (const JobId id : world.pools.at(world.nodes.at(node).pool).running) {
    const auto on_node = [&](const Slice& slice) { return slice.node == node; };
    if (std::ranges::any_of(world.jobs.at(id).slices, on_node)) here.push_back(id);
  }
  std::ranges::sort(here);
  return here;
}

}  // namespace tenbin
