#include <algorithm>
#include <bit>
#include <cstring>

#include "core/fleet/room.h"
#include "core/schedule/schedule.h"

// When would a job start if what runs keeps its limits? In a counted pool that is a sum over
// expected ends. In a pool of nodes it is the instant by which as many nodes as the job needs have
// emptied far enough for one part of it; for whole GPUs every pool keeps that instant by node.

namespace tenbin {

namespace {

constexpr std::int64_t already = INT64_MIN;

/// What one node offers while what runs there ends, one expected end after the other.
class Emptying {
 public:
  Emptying(const World& world, const Pool& pool, const Node& node)
      : world_(world), cpus_(node.cpus_free), memory_(node.memory_free), whole_(node.free_whole()) {
    for (const PartialGpu& gpu : node.partial) partial_.push_back(gpu);
    counts_cpus_ = pool.cpus > Cpus{0};
    counts_memory_ = pool.memory > Memory{0};
  }

  bool takes(const Shape& shape, Gpus gpus) const {
    if (counts_cpus_ && cpus_ < shape.cpus) return false;
    if (counts_memory_ && memory_ < shape.memory) return false;
    if (gpus == Gpus{0}) return true;
    if (gpus.count >= 1'000) return whole_ * 1'000 >= gpus.count;
    if (whole_ > 0) return true;
    return std::ranges::any_of(partial_,
                               [&](const PartialGpu& gpu) { return gpu.free_milli >= gpus.count; });
  }

  void end(const Tenant& tenant) {
    if (tenant.milli == 0) {
      whole_ += static_cast<std::uint32_t>(std::popcount(tenant.mask));
    } else {
      const auto device = static_cast<std::uint32_t>(std::countr_zero(tenant.mask));
      for (PartialGpu& gpu : partial_) {
        if (gpu.device != device) continue;
        gpu.free_milli += tenant.milli;
        if (gpu.free_milli < 1'000) continue;
        ++whole_;
        gpu = {UINT32_MAX, 0};
      }
    }
    if (!counts_cpus_ && !counts_memory_) return;
    const Shape& shape = world_.jobs.at(tenant.job).shape;
    cpus_ += shape.cpus;
    memory_ += shape.memory;
  }

 private:
  const World& world_;
  Cpus cpus_;
  Memory memory_;
  std::uint32_t whole_ = 0;
  bool counts_cpus_ = false, counts_memory_ = false;
  SmallVector<PartialGpu, 4> partial_;
};

/// How many of `instants` are no later than `at`.
std::size_t count_up_to(std::span<const std::int64_t> instants, std::int64_t at) {
  using Pair = std::int64_t __attribute__((vector_size(16)));  // two at a time
  const Pair limit{at, at};
  Pair count{};  // a lane that compares true is -1
  std::size_t i = 0;
  for (; i + 2 <= instants.size(); i += 2) {
    Pair two;
    std::memcpy(&two, &instants[i], sizeof(two));
    count -= two <= limit;
  }
  return static_cast<std::size_t>(count[0] + count[1]) +
         (i < instants.size() && instants[i] <= at ? 1 : 0);
}

/// When `node` has room for `gpus` of `shape`: already, at an expected end, or never.
std::int64_t emptied(const World& world, const Pool& pool, const Node& node, const Shape& shape,
                     Gpus gpus) {
  if (node.state != NodeState::up) return never.ms;
  Emptying future(world, pool, node);
  if (future.takes(shape, gpus)) return already;
  for (const Tenant& tenant : node.tenants) {
    future.end(tenant);
    if (future.takes(shape, gpus)) return tenant.end.ms;
  }
  return never.ms;
}

}  // namespace

std::span<const std::int64_t> Forecaster::by_node(const Pool& pool, const Shape& shape, Gpus gpus,
                                                  std::vector<std::int64_t>& own) const {
  const bool counts = (pool.cpus > Cpus{0} && shape.cpus > Cpus{0}) ||
                      (pool.memory > Memory{0} && shape.memory > Memory{0});
  if (!counts && gpus.count >= 1'000)
    return pool.emptied[static_cast<std::size_t>(gpus.count / 1'000)];
  own.resize(pool.nodes.size());
  for (std::size_t p = 0; p < own.size(); ++p) {
    own[p] = emptied(world_, pool, world_.nodes.at(pool.nodes[p]), shape, gpus);
  }
  return own;
}

// The job needs `wanted` nodes with room for `each` and, if `rest` is not zero, one more with room
// for that: a node that is not needed as a whole one, or one more of those.
const Forecast& Forecaster::of(const Pool& pool, const Shape& shape, Instant now,
                               const Promise* kept) {
  result_.at = never;
  result_.spare = Gpus{0};
  result_.nodes.clear();
  result_.keeps = false;
  if (pool.kind == PoolKind::counted) {
    const Gpus need = shape.all_gpus();
    const Ends::Shadow shadow = pool.ends.shadow(need, pool.free);
    if (shadow.found) {
      result_.at = std::max(now, shadow.at);
      result_.spare = shadow.free - need;
    }
    result_.keeps = kept && result_.at == std::max(now, kept->at) && result_.spare == kept->spare;
    return result_;
  }
  std::size_t wanted = 1;
  Gpus each = shape.gpus, rest;
  const std::int64_t node = std::int64_t{pool.gpus_per_node} * 1'000;
  if (shape.packing == Packing::members) {
    wanted = shape.members;
  } else if (shape.gpus.count > node) {
    wanted = static_cast<std::size_t>(shape.gpus.count / node);
    each = Gpus{node};
    rest = Gpus{shape.gpus.count % node};
  }
  const auto main = by_node(pool, shape, each, main_);
  std::span<const std::int64_t> remainder;
  if (rest > Gpus{0}) remainder = by_node(pool, shape, rest, rest_);
  const auto enough_at = [&](std::int64_t at) {
    const std::size_t whole = count_up_to(main, at);
    if (remainder.empty() || whole != wanted) return whole >= wanted;
    bool part = false;
    for (std::size_t p = 0; p < main.size(); ++p) part |= main[p] > at && remainder[p] <= at;
    return part;
  };

  // Mostly what was promised before still holds.
  if (kept && kept->at != never) {
    const Instant at = std::max(now, kept->at);
    std::size_t whole = 0, parts = 0;
    for (const NodeId id : kept->nodes) {
      const std::uint32_t p = world_.nodes.at(id).position;
      if (main[p] <= at.ms) {
        ++whole;
      } else if (!remainder.empty() && remainder[p] <= at.ms) {
        ++parts;
      }
    }
    const std::size_t needed = wanted + (remainder.empty() ? 0 : 1);
    if (kept->nodes.size() == needed && whole + parts == needed && whole >= wanted &&
        (at == now || !enough_at(at.ms - 1))) {
      result_.at = at;
      result_.keeps = true;
      return result_;
    }
  }

  if (main.size() < wanted) {
    result_.keeps = kept && kept->at == never;
    return result_;
  }
  std::int64_t at = never.ms, next = never.ms;  // the wanted-th to empty, and the one after it
  if (wanted == 1 && remainder.empty()) {
    for (const std::int64_t t : main) at = std::min(at, t);
  } else {
    sorted_.assign(main.begin(), main.end());
    const auto last = sorted_.begin() + static_cast<std::ptrdiff_t>(wanted) - 1;
    std::ranges::nth_element(sorted_, last);
    at = *last;
    for (auto t = last + 1; t != sorted_.end(); ++t) next = std::min(next, *t);
  }
  if (!remainder.empty()) {
    std::int64_t on_another = never.ms;
    for (std::size_t p = 0; p < main.size(); ++p) {
      if (main[p] > at) on_another = std::min(on_another, remainder[p]);
    }
    at = std::min(next, std::max(at, on_another));
  }
  if (at == never.ms) {
    result_.keeps = kept && kept->at == never;
    return result_;
  }
  result_.at = Instant{std::max(now.ms, at)};
  at = result_.at.ms;
  // The lowest ones; the remainder where a whole node would not go.
  bool part = !remainder.empty();
  for (std::size_t p = 0; part && p < main.size(); ++p) {
    if (main[p] <= at || remainder[p] > at) continue;
    result_.nodes.push_back(pool.nodes[p]);
    part = false;
  }
  std::size_t left = wanted + (part ? 1 : 0);
  for (std::size_t p = 0; left > 0; ++p) {
    if (main[p] > at) continue;
    result_.nodes.push_back(pool.nodes[p]);
    --left;
  }
  std::ranges::sort(result_.nodes);
  return result_;
}

}  // namespace tenbin
