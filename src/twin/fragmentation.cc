#include "twin/fragmentation.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "core/limits.h"

namespace tenbin {

std::vector<Target> typical_targets(std::span<const TraceJob> jobs,
                                    std::span<const GpuModelId> models, std::uint32_t largest_node,
                                    std::uint64_t cover_ppm) {
  // What a device has to give, so many of them, CPUs, models: the more, the earlier among equals.
  using Kind = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::uint64_t>;
  std::map<Kind, std::uint64_t, std::greater<>> counts;
  for (const TraceJob& job : jobs) {
    std::int64_t gpus = job.shape.gpus.count;
    if (job.shape.packing == Packing::count)
      gpus = std::min(gpus, std::int64_t{largest_node} * 1'000);
    const std::int64_t devices = gpus < 1'000 ? (gpus > 0 ? 1 : 0) : gpus / 1'000;
    ++counts[{job.shape.cpus.count, devices == 0 ? 0 : gpus / devices, devices, job.models}];
  }
  std::vector<std::pair<std::uint64_t, Kind>> common;
  for (const auto& [kind, count] : counts) common.emplace_back(count, kind);
  std::ranges::stable_sort(common, std::ranges::greater{}, &std::pair<std::uint64_t, Kind>::first);

  std::vector<Target> targets;
  const Wide wanted = Wide{jobs.size()} * cover_ppm;
  Wide covered = 0;
  for (const auto& [count, kind] : common) {
    if (covered >= wanted || targets.size() == targets_max) break;
    covered += Wide{count} * 1'000'000;
    const auto& [cpus, of_each, devices, permitted] = kind;
    std::uint64_t there = 0;
    for (std::size_t m = 0; m < models.size() && m < 64; ++m) {
      if ((permitted >> m & 1) && models[m]) there |= PoolSet::bit(models[m].value);
    }
    Target target{
        .gpus = Gpus{of_each * devices},
        .cpus = Cpus{cpus},
        .memory = {},
        .models = there,
        .weight = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, target_weight_max))};
    // A model that the fleet does not have: no node can take it.
    if (permitted != 0 && there == 0) target.cpus = cpus_max;
    targets.push_back(target);
  }
  // So common that the weights have to be told in larger units.
  const std::uint64_t most = common.empty() ? 0 : common.front().first;
  if (most > target_weight_max) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const Wide scaled = Wide{common[i].first} * target_weight_max / most;
      targets[i].weight = static_cast<std::uint32_t>(std::max<Wide>(scaled, 1));
    }
  }
  return targets;
}

Fragmentation::Fragmentation(const World& world, std::vector<Target> targets)
    : targets_(targets.empty() ? targets_of(world) : std::move(targets)), mix_(targets_) {
  world.pools.each([&](PoolId id, const Pool& pool) {
    if (pool.kind == PoolKind::counted) look(world, id);
  });
  world.nodes.each([&](NodeId id, const Node&) { look(world, id); });
  world.jobs.each([&](JobId id, const Job& job) {
    if (job.active()) came(world, id, job.pool, job.slices.span());
  });
}

void Fragmentation::set(Part& part, Part now) {
  fragment_ += now.fragment - part.fragment;
  all_ += now.all - part.all;
  part = now;
}

void Fragmentation::look(const World& world, NodeId node) {
  if (node.value >= nodes_.size()) nodes_.resize(node.value + 1);
  const Node& row = world.nodes.at(node);
  Part now;
  if (row.state == NodeState::up) {
    now.fragment = mix_.fragment(view_of(world, node));
    now.all = std::int64_t{world.pools.at(row.pool).gpus_per_node} * 1'000;
  }
  set(nodes_[node.value], now);
}

void Fragmentation::look(const World& world, PoolId pool) {
  if (pool.value >= pools_.size()) pools_.resize(pool.value + 1);
  const Pool& row = world.pools.at(pool);
  set(pools_[pool.value],
      {counted_fragment(row, PoolSet::bit(row.model.value), targets_), row.counted.count});
}

void Fragmentation::came(const World& world, JobId job, PoolId pool,
                         std::span<const Slice> slices) {
  Place& place = running_[job.value];
  place.pool = pool;
  place.nodes.clear();
  for (const Slice& slice : slices) {
    place.nodes.push_back(slice.node);
    look(world, slice.node);
  }
  if (slices.empty()) look(world, pool);
}

void Fragmentation::went(const World& world, JobId job) {
  const auto place = running_.find(job.value);
  if (place == running_.end()) return;  // it never ran
  for (const NodeId node : place->second.nodes) look(world, node);
  if (place->second.nodes.empty()) look(world, place->second.pool);
  running_.erase(place);
}

void Fragmentation::after(const World& world, const Event& event) {
  if (const auto* e = std::get_if<JobStarted>(&event)) {
    came(world, e->job, e->pool, e->slices);
  } else if (const auto* settled = std::get_if<JobSettled>(&event)) {
    went(world, settled->job);
  } else if (const auto* lost = std::get_if<AttemptLost>(&event)) {
    went(world, lost->job);
  } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
    went(world, failed->job);
  } else if (const auto* node = std::get_if<NodeDeclared>(&event)) {
    look(world, node->node);
  } else if (const auto* state = std::get_if<NodeStateSet>(&event)) {
    look(world, state->node);
  } else if (const auto* pool = std::get_if<PoolDeclared>(&event)) {
    if (pool->kind == PoolKind::counted) look(world, pool->pool);
  }
}

double Fragmentation::gpus() const {
  if (mix_.weight() == 0) return 0;
  return static_cast<double>(fragment_) / static_cast<double>(mix_.weight()) / 1'000;
}

double Fragmentation::percent() const {
  return all_ == 0 ? 0 : gpus() * 100'000 / static_cast<double>(all_);
}

}  // namespace tenbin
