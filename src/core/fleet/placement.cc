#include "core/fleet/placement.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "base/digest.h"

namespace tenbin {

namespace {

/// How good one node is for one member, and the device for a fraction.
struct NodeScore {
  static constexpr std::int64_t none = -1;  // it has no room
  std::int64_t score = none;
  std::uint32_t device = 0;
};

/// How many members of one size lie on a node: 0 a fraction, else so many GPUs.
struct SizeCount {
  std::uint32_t size = 0, count = 0;
};
using Sizes = SmallVector<SizeCount, 2>;

/// The largest node of the fleet, by which figures are made comparable.
struct Largest {
  std::int64_t gpus = 1'000;  // milli
  std::int64_t cpus = 1;      // milli
};

bool has_room(const NodeView& node, const MemberAsk& ask) {
  if (ask.cpus > node.cpus) return false;
  if (ask.gpus == Gpus{0}) return true;
  const std::int64_t of_each = std::min<std::int64_t>(ask.gpus.count, 1'000);
  std::int64_t wanted = ask.gpus.count < 1'000 ? 1 : ask.gpus.count / 1'000;
  for (std::uint32_t d = 0; d < node.devices && wanted > 0; ++d) wanted -= node.free[d] >= of_each;
  return wanted <= 0;
}

bool is_fraction(const MemberAsk& ask) {
  return ask.gpus > Gpus{0} && ask.gpus < Gpus{1'000};
}

/// The device with the least free that has room for a fraction.
std::uint32_t snuggest(const NodeView& node, Gpus part) {
  std::uint32_t best = node.devices;
  for (std::uint32_t d = 0; d < node.devices; ++d) {
    if (node.free[d] >= part.count && (best == node.devices || node.free[d] < node.free[best]))
      best = d;
  }
  return best;
}

/// CPUs that a node has free, as far as they are counted.
std::int64_t counted_cpus(const NodeView& node, const Pool& pool) {
  return pool.cpus > Cpus{0} ? node.cpus.count : 0;
}

std::int64_t dot_product(const NodeView& node, const Pool& pool, const MemberAsk& ask,
                         const Largest& largest) {
  const Wide gpus = Wide{largest.gpus} * largest.gpus, cpus = Wide{largest.cpus} * largest.cpus;
  const Wide alike = Wide{node.idle()} * ask.gpus.count * cpus +
                     Wide{counted_cpus(node, pool)} * ask.cpus.count * gpus;
  return static_cast<std::int64_t>(100 * (2 * gpus * cpus - alike) / (2 * gpus * cpus));
}

std::int64_t tightest(const NodeView& node, const Pool& pool, const MemberAsk& ask,
                      const Largest& largest) {
  const Wide gpus = node.idle() - ask.gpus.count;
  const Wide cpus = pool.cpus > Cpus{0} ? counted_cpus(node, pool) - ask.cpus.count : 0;
  const Wide all = Wide{2} * largest.gpus * largest.cpus;
  return static_cast<std::int64_t>(100 * (all - gpus * largest.cpus - cpus * largest.gpus) / all);
}

std::int64_t clustering(const NodeView& node, const MemberAsk& ask, const Sizes& sizes,
                        const Largest& largest) {
  if (ask.gpus == Gpus{0}) return 0;
  const auto size = static_cast<std::uint32_t>(ask.gpus.count / 1'000);
  const bool same = std::ranges::any_of(sizes, [&](const SizeCount& s) { return s.size == size; });
  const std::int64_t rank = same ? (sizes.size() == 1 ? 3 : 2) : (sizes.empty() ? 1 : 0);
  return 25 * rank + 25 * (largest.gpus - node.idle()) / largest.gpus;
}

std::int64_t packing(const NodeView& node, const MemberAsk& ask) {
  if (ask.gpus == Gpus{0}) return 0;
  const auto all = static_cast<std::int64_t>(node.devices);
  std::int64_t unused = 0;
  for (std::uint32_t d = 0; d < node.devices; ++d) unused += node.free[d] == 1'000;
  if (unused == all) return std::max(33 - all, all);
  if (!is_fraction(ask)) return std::max<std::int64_t>(50 - ask.gpus.count / 1'000, 33);
  const std::int64_t free = node.free[snuggest(node, ask.gpus)];
  if (free == 1'000) return 49;
  return std::max<std::int64_t>(100 - free / 10 / 10, 50);
}

// ln(k / (100 - k)) for k = 50 to 99, in thousand-millionths: where 100 / (1 + e^-x) reaches k. A
// table, because a library's e^x is not the same on every machine.
constexpr std::array<std::int64_t, 50> reaches{0,
                                               40'005'335,
                                               80'042'708,
                                               120'144'312,
                                               160'342'650,
                                               200'670'695,
                                               241'162'057,
                                               281'851'152,
                                               322'773'392,
                                               363'965'377,
                                               405'465'108,
                                               447'312'218,
                                               489'548'225,
                                               532'216'814,
                                               575'364'145,
                                               619'039'208,
                                               663'294'217,
                                               708'185'058,
                                               753'771'802,
                                               800'119'300,
                                               847'297'860,
                                               895'384'047,
                                               944'461'609,
                                               994'622'575,
                                               1'045'968'555,
                                               1'098'612'289,
                                               1'152'679'510,
                                               1'208'311'206,
                                               1'265'666'373,
                                               1'324'925'415,
                                               1'386'294'361,
                                               1'450'010'176,
                                               1'516'347'489,
                                               1'585'627'264,
                                               1'658'228'077,
                                               1'734'601'055,
                                               1'815'289'967,
                                               1'900'958'761,
                                               1'992'430'165,
                                               2'090'741'097,
                                               2'197'224'577,
                                               2'313'634'929,
                                               2'442'347'035,
                                               2'586'689'344,
                                               2'751'535'313,
                                               2'944'438'979,
                                               3'178'053'830,
                                               3'476'098'690,
                                               3'891'820'298,
                                               4'595'119'850};

/// 100 / (1 + e^-x), rounded down, for x = `shrinks` / (1000 x `weight`): `shrinks` in milli-GPU
/// times weight.
std::int64_t of_hundred(std::int64_t shrinks, std::int64_t weight) {
  const std::int64_t x = shrinks * 1'000'000;
  if (shrinks >= 0) {  // the last k that x reaches
    const auto above =
        std::ranges::upper_bound(reaches, x, {}, [&](std::int64_t at) { return at * weight; });
    return 49 + (above - reaches.begin());
  }
  // reaches[-k] = -reaches[k]: the first of 51 and up whose negative is not above x
  const auto first =
      std::ranges::lower_bound(reaches, -x, {}, [&](std::int64_t at) { return at * weight; });
  return 50 - (first - reaches.begin());
}

NodeScore fragmentation(NodeView node, const MemberAsk& ask, const Mix& mix, std::int64_t before) {
  if (node.cpus != cpus_max) node.cpus -= ask.cpus;  // else they are not counted
  if (node.memory != memory_max) node.memory -= ask.memory;
  const auto score = [&] { return of_hundred(before - mix.fragment(node), mix.weight()); };
  if (!is_fraction(ask)) {
    std::int64_t left = ask.gpus.count;
    for (std::uint32_t d = 0; d < node.devices && left > 0; ++d) {
      if (node.free[d] < 1'000) continue;
      node.free[d] = 0;
      left -= 1'000;
    }
    return {score(), 0};
  }
  NodeScore best;
  const auto part = static_cast<std::uint16_t>(ask.gpus.count);
  for (std::uint32_t d = 0; d < node.devices; ++d) {
    const std::uint16_t free = node.free[d];
    if (free < part) continue;
    // What a device with as much free came to, it comes to again.
    const auto before_d = node.free.begin() + d;
    if (std::find(node.free.begin(), before_d, free) != before_d) continue;
    node.free[d] = static_cast<std::uint16_t>(free - part);
    const std::int64_t s = score();
    node.free[d] = free;
    if (s > best.score) best = {s, d};
  }
  return best;
}

constexpr std::int64_t drawn_bits = 48;  // the sum over a gang's members still fits

std::uint64_t drawn(std::uint64_t seed, Draw draw, std::uint64_t what) {
  Digest digest(seed);
  digest.add(draw.job.value, draw.attempt);
  digest.add(what);
  return digest.value() >> (64 - drawn_bits);
}

/// Any device with room for a fraction.
std::uint32_t any_device(const NodeView& node, Gpus part, std::uint64_t random) {
  std::uint32_t fit = 0;
  for (std::uint32_t d = 0; d < node.devices; ++d) fit += node.free[d] >= part.count;
  std::uint64_t skip = random % fit;
  for (std::uint32_t d = 0;; ++d) {
    if (node.free[d] >= part.count && skip-- == 0) return d;
  }
}

}  // namespace

/// The scores of nodes, by what was asked; and the sizes of what lies on them.
class Scores {
 public:
  explicit Scores(const World& world) : mix(targets_of(world)) {
    world.pools.each([&](PoolId, const Pool& pool) {
      largest.gpus = std::max(largest.gpus, std::int64_t{pool.gpus_per_node} * 1'000);
      largest.cpus = std::max(largest.cpus, pool.cpus.count);
      for (const JobId id : pool.running) count(world.jobs.at(id), +1);
    });
  }

  struct Known {
    std::uint32_t version = 0;
    std::int32_t score = -1;
    std::uint32_t device = 0;
  };
  struct Seen {
    std::uint32_t version = 1;     // of the node: counts its changes
    std::uint32_t fragmented = 0;  // at which version `fragment` was worked out
    std::int64_t fragment = 0;
    Sizes sizes;
  };
  using Column = std::vector<Known>;  // by node

  Seen& seen(NodeId node) {
    if (node.value >= seen_.size()) seen_.resize(node.value + 1);
    return seen_[node.value];
  }
  /// What is known for members that ask the same. Cost: memory for each node that was ever asked
  /// about; all is forgotten when there is too much.
  Column& column(const MemberAsk& ask, std::size_t nodes) {
    if (columns_.size() * nodes > known_max) columns_.clear();
    // Memory only decides whether there is room, unless targets ask for some.
    const std::int64_t memory = mix.asks_memory() ? ask.memory.count : 0;
    Column& column = columns_[{ask.gpus.count, ask.cpus.count, memory}];
    if (column.size() <= nodes) column.resize(nodes + 1);
    return column;
  }
  void count(const Job& job, int by) {
    for (const Slice& slice : job.slices) {
      Seen& node = seen(slice.node);
      ++node.version;
      if (slice.mask == 0) continue;
      const std::uint32_t size =
          slice.milli > 0 ? 0 : static_cast<std::uint32_t>(std::popcount(slice.mask));
      const auto known = std::ranges::find(node.sizes, size, &SizeCount::size);
      if (known == node.sizes.end()) {
        TENBIN_ASSERT(by > 0);
        node.sizes.push_back({size, 1});
      } else if ((known->count += static_cast<std::uint32_t>(by)) == 0) {
        *known = node.sizes.back();
        node.sizes.pop_back();
      }
    }
  }

  const Mix mix;
  Largest largest;

 private:
  static constexpr std::size_t known_max = 4'000'000;
  std::vector<Seen> seen_;  // by node
  std::map<std::array<std::int64_t, 3>, Column> columns_;
};

PlacementMemo::PlacementMemo() = default;
PlacementMemo::~PlacementMemo() = default;
PlacementMemo::PlacementMemo(const PlacementMemo&) {}
PlacementMemo::PlacementMemo(PlacementMemo&&) noexcept = default;
PlacementMemo& PlacementMemo::operator=(const PlacementMemo&) {
  scores_.reset();
  return *this;
}
PlacementMemo& PlacementMemo::operator=(PlacementMemo&&) noexcept = default;
void PlacementMemo::drop() {
  scores_.reset();
}
void PlacementMemo::note(NodeId node) {
  ++scores_->seen(node).version;
}
void PlacementMemo::count(const Job& job, int by) {
  scores_->count(job, by);
}

/// The search for one job.
class Placer {
 public:
  Placer(const World& world, PlacementMemo& memo, const Pool& pool, Draw draw,
         std::span<const NodeId> avoid, Slices& slices)
      : world_(world), pool_(pool), draw_(draw), avoid_(avoid), slices_(slices) {
    if (!memo.scores_) memo.scores_ = std::make_unique<Scores>(world);
    scores_ = memo.scores_.get();
  }

  bool members(std::uint32_t wanted, const MemberAsk& ask) {
    const bool drawn_lots = world_.policy.placement == Placement::random;
    Scores::Column* column = nullptr;
    if (!drawn_lots) column = &scores_->column(ask, world_.nodes.size());
    found_.clear();
    for (const NodeId id : pool_.nodes) {
      const Node& node = world_.nodes.at(id);
      if (node.state != NodeState::up) continue;
      if (pool_.memory > Memory{0} && node.memory_free < ask.memory) continue;
      if (!avoid_.empty() && std::ranges::binary_search(avoid_, id)) continue;
      if (std::ranges::any_of(slices_, [&](const Slice& s) { return s.node == id; })) continue;
      const Found found{column ? known(*column, id, ask) : lot(id, ask), id};
      if (found.at.score == NodeScore::none) continue;
      if (wanted == 1 && !found_.empty()) {  // the best one is enough
        if (found.at.score > found_[0].at.score) found_[0] = found;
      } else {
        found_.push_back(found);
      }
    }
    if (found_.size() < wanted) return false;
    if (wanted > 1) {
      std::ranges::partial_sort(found_, found_.begin() + wanted, {},
                                [](const Found& f) { return std::pair(-f.at.score, f.node); });
    }
    for (std::uint32_t i = 0; i < wanted; ++i) take(found_[i], ask);
    return true;
  }
  PlaceScore score() const { return score_; }

 private:
  struct Found {
    NodeScore at;
    NodeId node;
  };

  NodeScore known(Scores::Column& column, NodeId id, const MemberAsk& ask) {
    Scores::Seen& seen = scores_->seen(id);
    Scores::Known& known = column[id.value];
    if (known.version != seen.version) {
      const NodeScore s = worked_out(id, ask, seen);
      known = {seen.version, static_cast<std::int32_t>(s.score), s.device};
    }
    return {known.score, known.device};
  }

  NodeScore worked_out(NodeId id, const MemberAsk& ask, Scores::Seen& seen) {
    const NodeView view = view_of(world_, id);
    if (!has_room(view, ask)) return {};
    NodeScore result;
    switch (world_.policy.placement) {
      case Placement::best_fit:
      case Placement::random: break;
      case Placement::dot_product:
        result.score = dot_product(view, pool_, ask, scores_->largest);
        break;
      case Placement::clustering:
        result.score = clustering(view, ask, seen.sizes, scores_->largest);
        break;
      case Placement::packing: result.score = packing(view, ask); break;
      case Placement::tightest: result.score = tightest(view, pool_, ask, scores_->largest); break;
      case Placement::fragmentation:
        if (seen.fragmented != seen.version) {
          seen.fragment = scores_->mix.fragment(view);
          seen.fragmented = seen.version;
        }
        return fragmentation(view, ask, scores_->mix, seen.fragment);
    }
    if (is_fraction(ask)) result.device = snuggest(view, ask.gpus);
    return result;
  }

  NodeScore lot(NodeId id, const MemberAsk& ask) {
    const NodeView view = view_of(world_, id);
    if (!has_room(view, ask)) return {};
    const std::uint64_t seed = world_.policy.seed;
    NodeScore result{static_cast<std::int64_t>(drawn(seed, draw_, id.value)), 0};
    if (is_fraction(ask)) result.device = any_device(view, ask.gpus, drawn(seed, draw_, ~id.value));
    return result;
  }

  void take(const Found& found, const MemberAsk& ask) {
    score_.score += found.at.score;
    if (!score_.first || found.node < score_.first) score_.first = found.node;
    if (is_fraction(ask)) {
      slices_.push_back({found.node, std::uint32_t{1} << found.at.device,
                         static_cast<std::uint32_t>(ask.gpus.count)});
      return;
    }
    std::uint32_t rest = world_.nodes.at(found.node).free_mask;
    const std::uint32_t free = rest;
    for (std::int64_t g = ask.gpus.count; g > 0; g -= 1'000) rest &= rest - 1;
    slices_.push_back({found.node, free & ~rest, 0});
  }

  const World& world_;
  const Pool& pool_;
  Draw draw_;
  std::span<const NodeId> avoid_;
  Slices& slices_;
  Scores* scores_ = nullptr;
  std::vector<Found> found_;
  PlaceScore score_;
};

bool place(const World& world, PlacementMemo& memo, const Pool& pool, const Shape& shape, Draw draw,
           std::span<const NodeId> avoid, Slices& slices, PlaceScore& score) {
  score = {};
  if (world.policy.placement == Placement::best_fit || pool.kind == PoolKind::counted)
    return find_room(world, pool, shape, avoid, slices);
  slices.clear();
  if (shape.all_gpus() > pool.free) return false;
  Placer placer(world, memo, pool, draw, avoid, slices);
  MemberAsk ask{shape.gpus, shape.cpus, shape.memory};
  const Gpus node{std::int64_t{pool.gpus_per_node} * 1'000};
  std::uint32_t members = shape.members;
  Gpus rest;
  if (shape.packing == Packing::count && shape.gpus > node) {
    members = static_cast<std::uint32_t>(shape.gpus.count / node.count);
    rest = Gpus{shape.gpus.count % node.count};
    ask.gpus = node;
  }
  bool found = placer.members(members, ask);
  if (found && rest > Gpus{0}) {
    ask.gpus = rest;
    found = placer.members(1, ask);
  }
  score = placer.score();
  return found;
}

}  // namespace tenbin
