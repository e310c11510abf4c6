#include "core/fleet/placement.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"

// Every placement puts jobs where its definition says: a slow oracle, which keeps its own books of
// what lies where and scores every node anew in the words of core/fleet/placement.h, agrees with
// every start in random histories on small fleets of unlike nodes. Starts, ends, drained nodes,
// gangs, fractions, counts above a node, jobs without GPUs, ties.

namespace tenbin {
namespace {

struct Kind {
  std::uint32_t gpus;
  std::int64_t cpus, memory;
};

/// The oracle's own idea of a node.
struct OracleNode {
  NodeId id;
  PoolId pool;
  Kind kind;
  std::uint64_t model = 0;
  bool up = true;
  std::vector<std::int64_t> free;
  std::int64_t cpus = 0, memory = 0;
  std::multiset<std::int64_t> sizes;  // of members that lie here: 0 a fraction, else GPUs
};

class Oracle {
 public:
  Placement placement = Placement::tightest;
  std::vector<Target> targets;
  std::vector<OracleNode> nodes;

  struct Choice {
    bool found = false;
    PoolId pool;
    std::vector<Slice> slices;
  };

  Choice choose(const Shape& shape, PoolSet pools) const {
    Choice best;
    std::int64_t best_score = 0;
    NodeId best_first;
    for (std::uint64_t p = 1; p <= 64; ++p) {
      if (!pools.has(PoolId{p})) continue;
      std::int64_t score = 0;
      std::vector<Slice> slices;
      if (!in_pool(PoolId{p}, shape, score, slices)) continue;
      const NodeId first = std::ranges::min(slices, {}, &Slice::node).node;
      if (best.found && (score < best_score || (score == best_score && first > best_first)))
        continue;
      best = {true, PoolId{p}, slices};
      best_score = score;
      best_first = first;
    }
    return best;
  }

  void change(const Job& job, int by) {
    for (const Slice& slice : job.slices) {
      OracleNode& n = node(slice.node);
      for (std::uint32_t d = 0; d < n.free.size(); ++d) {
        if (slice.mask >> d & 1) n.free[d] -= by * std::int64_t{slice.milli ? slice.milli : 1'000};
      }
      n.cpus -= by * job.shape.cpus.count;
      n.memory -= by * job.shape.memory.count;
      if (slice.mask == 0) continue;
      const std::int64_t size = slice.milli ? 0 : std::popcount(slice.mask);
      if (by > 0) {
        n.sizes.insert(size);
      } else {
        n.sizes.erase(n.sizes.find(size));
      }
    }
  }
  OracleNode& node(NodeId id) { return *std::ranges::find(nodes, id, &OracleNode::id); }

  /// The fragment of a node, in milli-GPU.
  long double fragment(const OracleNode& n) const {
    long double sum = 0, weights = 0;
    for (const Target& t : targets) {
      const std::int64_t each = std::min<std::int64_t>(t.gpus.count, 1'000);
      const std::int64_t wanted = t.gpus.count < 1'000 ? 1 : t.gpus.count / 1'000;
      std::int64_t enough = 0, idle = 0, too_little = 0;
      for (const std::int64_t f : n.free) {
        idle += f;
        if (f >= each) {
          ++enough;
        } else {
          too_little += f;
        }
      }
      const bool hosts = t.gpus.count > 0 && enough >= wanted &&
                         (n.kind.cpus == 0 || n.cpus >= t.cpus.count) &&
                         (n.kind.memory == 0 || n.memory >= t.memory.count) &&
                         (t.models == 0 || (t.models & n.model));
      sum +=
          static_cast<long double>(t.weight) * static_cast<long double>(hosts ? too_little : idle);
      weights += t.weight;
    }
    return sum / weights;
  }

 private:
  bool fits(const OracleNode& n, std::int64_t gpus, const Shape& shape) const {
    const std::int64_t each = std::min<std::int64_t>(gpus, 1'000);
    const auto enough = std::ranges::count_if(n.free, [&](std::int64_t f) { return f >= each; });
    return n.up && (n.kind.cpus == 0 || n.cpus >= shape.cpus.count) &&
           (n.kind.memory == 0 || n.memory >= shape.memory.count) &&
           enough >= (gpus == 0      ? 0
                      : gpus < 1'000 ? 1
                                     : gpus / 1'000);
  }

  std::int64_t hundredths(const OracleNode& before, const OracleNode& after) const {
    const long double x = (fragment(before) - fragment(after)) / 1'000;
    if (std::abs(x) < 1e-12L) return 50;
    return static_cast<std::int64_t>(std::floor(100 / (1 + std::exp(-x))));
  }

  std::pair<std::int64_t, std::uint32_t> score(const OracleNode& n, std::int64_t gpus,
                                               const Shape& shape) const {
    long double most_gpus = 1, most_cpus = 1;
    for (const OracleNode& other : nodes) {
      most_gpus = std::max(most_gpus, static_cast<long double>(other.kind.gpus));
      most_cpus = std::max(most_cpus, static_cast<long double>(other.kind.cpus));
    }
    std::int64_t idle = 0;
    for (const std::int64_t f : n.free) idle += f;
    const long double big = most_gpus * 1'000;
    const bool fraction = gpus > 0 && gpus < 1'000;
    std::uint32_t device = 0;
    bool any = false;
    for (std::uint32_t d = 0; fraction && d < n.free.size(); ++d) {
      if (n.free[d] >= gpus && (!any || n.free[d] < n.free[device])) {
        device = d;
        any = true;
      }
    }
    const long double cpus_free = n.kind.cpus == 0 ? 0 : static_cast<long double>(n.cpus);
    const long double cpus = n.kind.cpus == 0 ? 0 : static_cast<long double>(shape.cpus.count);
    const auto g = static_cast<long double>(gpus), free = static_cast<long double>(idle);
    const auto cut = [](long double s) { return static_cast<std::int64_t>(std::floor(s + 1e-9L)); };
    const auto unused = std::ranges::count(n.free, 1'000);
    switch (placement) {
      case Placement::dot_product:
        return {
            cut(100 * (1 - (g / big * free / big + cpus / most_cpus * cpus_free / most_cpus) / 2)),
            device};
      case Placement::tightest:
        return {cut(100 * (1 - ((free - g) / big + (cpus_free - cpus) / most_cpus) / 2)), device};
      case Placement::clustering: {
        if (gpus == 0) return {0, 0};
        const std::int64_t size = gpus < 1'000 ? 0 : gpus / 1'000;
        const std::set<std::int64_t> distinct(n.sizes.begin(), n.sizes.end());
        const int base = distinct.contains(size) ? (distinct.size() == 1 ? 75 : 50)
                                                 : (distinct.empty() ? 25 : 0);
        return {base + cut(25 * (big - free) / big), device};
      }
      case Placement::packing: {
        if (gpus == 0) return {0, 0};
        const auto all = static_cast<std::int64_t>(n.kind.gpus);
        if (unused == all) return {std::max(33 - all, all), device};
        if (!fraction) return {std::max<std::int64_t>(50 - gpus / 1'000, 33), 0};
        if (n.free[device] == 1'000) return {49, device};
        return {std::max<std::int64_t>(100 - n.free[device] / 100, 50), device};
      }
      case Placement::fragmentation: {
        OracleNode after = n;
        after.cpus -= shape.cpus.count;
        after.memory -= shape.memory.count;
        if (!fraction) {
          std::int64_t left = gpus;
          for (std::int64_t& f : after.free) {
            if (f == 1'000 && left > 0) {
              f = 0;
              left -= 1'000;
            }
          }
          return {hundredths(n, after), 0};
        }
        std::pair<std::int64_t, std::uint32_t> best{-1, 0};
        for (std::uint32_t d = 0; d < n.free.size(); ++d) {
          if (n.free[d] < gpus) continue;
          OracleNode one = after;
          one.free[d] -= gpus;
          if (const std::int64_t s = hundredths(n, one); s > best.first) best = {s, d};
        }
        return best;
      }
      case Placement::best_fit:
      case Placement::random: break;
    }
    return {0, 0};
  }

  bool in_pool(PoolId pool, const Shape& shape, std::int64_t& sum, std::vector<Slice>& out) const {
    std::uint32_t gpus_of_node = 0;
    for (const OracleNode& n : nodes) {
      if (n.pool == pool) gpus_of_node = n.kind.gpus;
    }
    const std::int64_t node = std::int64_t{gpus_of_node} * 1'000;
    std::vector<std::pair<std::uint32_t, std::int64_t>> rounds{{shape.members, shape.gpus.count}};
    if (shape.packing == Packing::count && shape.gpus.count > node) {
      rounds = {{static_cast<std::uint32_t>(shape.gpus.count / node), node}};
      if (shape.gpus.count % node) rounds.emplace_back(1u, shape.gpus.count % node);
    }
    for (const auto& [members, gpus] : rounds) {
      std::vector<std::tuple<std::int64_t, NodeId, std::uint32_t>> found;
      for (const OracleNode& n : nodes) {
        if (n.pool != pool || !fits(n, gpus, shape)) continue;
        if (std::ranges::any_of(out, [&](const Slice& s) { return s.node == n.id; })) continue;
        const auto [s, device] = score(n, gpus, shape);
        found.emplace_back(-s, n.id, device);
      }
      if (found.size() < members) return false;
      std::ranges::sort(found);
      for (std::uint32_t m = 0; m < members; ++m) {
        const auto& [s, id, device] = found[m];
        sum -= s;
        const OracleNode& n = *std::ranges::find(nodes, id, &OracleNode::id);
        if (gpus > 0 && gpus < 1'000) {
          out.push_back({id, 1u << device, static_cast<std::uint32_t>(gpus)});
          continue;
        }
        std::uint32_t mask = 0;
        std::int64_t left = gpus;
        for (std::uint32_t d = 0; d < n.free.size() && left > 0; ++d) {
          if (n.free[d] != 1'000) continue;
          mask |= 1u << d;
          left -= 1'000;
        }
        out.push_back({id, mask, 0});
      }
    }
    return true;
  }
};

/// A World with a few unlike pools at one price and credit for all, and the oracle beside it.
struct Town {
  World world;
  Oracle oracle;
  Facts facts;
  Instant now{1'000};
  Rng rng;

  explicit Town(std::uint64_t seed, Placement placement) : rng(seed) {
    ok(DeclareProvider{"p", ""});
    ok(DeclareRegion{"r", ""});
    std::uint32_t number = 0;
    for (std::uint32_t p = 1; p <= 3; ++p) {
      const std::string name = "pool-" + std::to_string(p);
      const Kind kind{1u + static_cast<std::uint32_t>(rng.below(4)) * (p == 1 ? 2 : 1),
                      static_cast<std::int64_t>(rng.below(3) * 8'000),
                      static_cast<std::int64_t>(rng.below(2) * 64'000)};
      ok(DeclarePool{.name = name,
                     .provider = "p",
                     .region = "r",
                     .gpu_model = rng.below(2) ? "a" : "b",
                     .gpus_per_node = kind.gpus,
                     .cpus = Cpus{kind.cpus},
                     .memory = Memory{kind.memory}});
      ok(SetPrice{name, Credits{1'000'000}, 1'000'000});
      const std::uint64_t nodes = 1 + rng.below(4);
      for (std::uint64_t n = 0; n < nodes; ++n) {
        ok(DeclareNode{"n" + std::to_string(++number), name, 0});
        oracle.nodes.push_back({.id = NodeId{number},
                                .pool = PoolId{p},
                                .kind = kind,
                                .model = PoolSet::bit(world.pools.at(PoolId{p}).model.value),
                                .free = std::vector<std::int64_t>(kind.gpus, 1'000),
                                .cpus = kind.cpus,
                                .memory = kind.memory,
                                .sizes = {}});
      }
    }
    constexpr Money money{1'000'000'000'000, {'J', 'P', 'Y'}};
    ok(DeclareFunder{"f", "", money, Credits{1'000'000}});
    ok(DeclareProgramme{"g", ""});
    ok(DeclareOrganisation{"o", ""});
    ok(DeclareGrant{"g", "", "g", "o"});
    ok(DeclareLot{"l", "g", "f", money, Instant{}, instant_max, {}});
    ok(DeclareProject{"j", "", "o"});
    ok(DeclareAllocation{"a", "g", "j", Credits{1'000'000'000'000'000}, ""});
    for (std::uint64_t t = rng.below(5); t > 0; --t) {
      oracle.targets.push_back({.gpus = Gpus{any_gpus()},
                                .cpus = Cpus{static_cast<std::int64_t>(rng.below(5)) * 2'000},
                                .memory = Memory{static_cast<std::int64_t>(rng.below(2)) * 9'000},
                                .models = rng.below(3) ? 0 : std::uint64_t{1},
                                .weight = 1 + static_cast<std::uint32_t>(rng.below(9))});
    }
    oracle.placement = placement;
    ok(SetPolicy{
        {.backfill = Backfill::none, .placement = placement, .seed = seed, .cpu_jobs = true},
        oracle.targets});
    oracle.targets = targets_of(world);
  }

  std::int64_t any_gpus() {
    constexpr std::array<std::int64_t, 9> sizes{0, 100, 250, 500, 900, 1'000, 2'000, 3'000, 4'000};
    return sizes[rng.below(sizes.size())];
  }
  std::uint64_t ok(Command command) {
    facts.clear();
    const Decision decision = apply(world, {.command = std::move(command)}, now, facts);
    REQUIRE(decision.has_value());
    return *decision;
  }
  Shape any_shape() {
    Shape shape{.gpus = Gpus{any_gpus()},
                .cpus = Cpus{static_cast<std::int64_t>(rng.below(5)) * 1'000},
                .memory = Memory{static_cast<std::int64_t>(rng.below(4)) * 8'000}};
    if (shape.gpus == Gpus{0}) shape.cpus = Cpus{1'000};
    if (rng.below(5) == 0) {
      shape.members = 2 + static_cast<std::uint32_t>(rng.below(2));
    } else if (rng.below(8) == 0) {
      shape = {.packing = Packing::count,
               .gpus = Gpus{1'000 * (1 + static_cast<std::int64_t>(rng.below(9)))}};
    }
    return shape;
  }
};

void one_history(std::uint64_t seed, Placement placement, int steps) {
  CAPTURE(seed);
  CAPTURE(std::string(name_of(placement)));
  Town town(seed, placement);
  World& world = town.world;
  std::vector<JobId> running;
  for (int step = 0; step < steps; ++step) {
    town.now = town.now + Span{1};
    const std::uint64_t what = town.rng.below(10);
    if (what < 3 && !running.empty()) {
      std::swap(running[town.rng.below(running.size())], running.back());
      const JobId id = running.back();
      running.pop_back();
      town.oracle.change(world.jobs.at(id), -1);
      town.ok(ReportEnd{.job = id, .attempt = 1, .kind = EndKind::exited, .ended = town.now});
      continue;
    }
    if (what == 3) {
      const NodeId id{1 + town.rng.below(world.nodes.size())};
      OracleNode& node = town.oracle.node(id);
      node.up = !node.up;
      const std::string name = world.nodes.at(id).name;
      if (node.up) {
        town.ok(ResumeNode{name});
      } else {
        town.ok(DrainNode{name});
      }
      continue;
    }
    const Shape shape = town.any_shape();
    town.facts.clear();
    const Decision queued = apply(
        world, {.command = SubmitJob{.project = "j", .shape = shape, .time_limit = Span{1'000}}},
        town.now, town.facts);
    if (!queued) continue;  // larger than any pool
    const JobId id{*queued};
    const Oracle::Choice expected = town.oracle.choose(shape, world.jobs.at(id).pools);
    if (town.rng.below(20) == 0) {  // what is worked out may be lost at any time
      World copy = world;
      world = std::move(copy);
    }
    town.ok(Schedule{});
    const Job& job = world.jobs.at(id);
    REQUIRE(job.active() == expected.found);
    if (!job.active()) {
      town.ok(CancelJob{id});
      continue;
    }
    CAPTURE(shape.gpus.count);
    CAPTURE(shape.cpus.count);
    CAPTURE(shape.members);
    CAPTURE(job.pool.value);
    CAPTURE(expected.pool.value);
    CAPTURE(job.slices[0].node.value);
    CAPTURE(expected.slices[0].node.value);
    REQUIRE(job.pool == expected.pool);
    REQUIRE(std::ranges::equal(job.slices, expected.slices));
    town.oracle.change(job, +1);
    running.push_back(id);
    if (step % 16 == 0) {
      REQUIRE(broken_promise(world) == "");
      const Mix mix(town.oracle.targets);
      for (const OracleNode& n : town.oracle.nodes) {
        const long double mine = town.oracle.fragment(n) * static_cast<long double>(mix.weight());
        REQUIRE(std::llround(mine) == mix.fragment(view_of(world, n.id)));
      }
    }
  }
}

TEST_CASE("a slow oracle puts every job where each placement does") {
  for (const Placement placement :
       {Placement::dot_product, Placement::clustering, Placement::packing, Placement::fragmentation,
        Placement::tightest}) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) one_history(seed, placement, 120);
  }
}

TEST_CASE("random placement: every node and device with room alike, by the seed alone") {
  std::map<std::pair<std::uint64_t, std::uint32_t>, int> where;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    Town town(7, Placement::random);  // the same fleet each time
    town.ok(
        SetPolicy{{.backfill = Backfill::none, .placement = Placement::random, .seed = seed}, {}});
    const auto put = [&](World& world) {
      Facts facts;
      const Shape shape{.gpus = Gpus{500}};
      const Decision queued = apply(
          world, {.command = SubmitJob{.project = "j", .shape = shape, .time_limit = Span{1'000}}},
          town.now, facts);
      REQUIRE(queued.has_value());
      REQUIRE(apply(world, {.command = Schedule{}}, town.now, facts).has_value());
      return world.jobs.at(JobId{*queued}).slices[0];
    };
    World again = town.world;
    const Slice slice = put(town.world);
    CHECK(put(again) == slice);
    ++where[{slice.node.value, slice.mask}];
  }
  Town town(7, Placement::random);
  const std::size_t nodes = town.oracle.nodes.size();
  std::map<std::uint64_t, int> per_node;
  for (const auto& [place, count] : where) per_node[place.first] += count;
  CHECK(per_node.size() == nodes);
  std::size_t devices = 0;
  for (const OracleNode& n : town.oracle.nodes) {
    devices += n.kind.gpus;
    CHECK(per_node[n.id.value] > 600 / static_cast<int>(nodes) / 2);
    CHECK(per_node[n.id.value] < 600 / static_cast<int>(nodes) * 2);
  }
  CHECK(where.size() == devices);
}

TEST_CASE("targets that no node could have are refused") {
  Town town(1, Placement::fragmentation);
  const auto refused = [&](Target target) {
    town.facts.clear();
    const std::array<Target, 1> targets{target};
    const Decision decision =
        apply(town.world, {.command = SetPolicy{{}, targets}}, town.now, town.facts);
    return !decision && decision.error().reason == Reason::targets_invalid;
  };
  CHECK_FALSE(refused({.gpus = Gpus{1'000}, .weight = 1}));
  CHECK(refused({.gpus = Gpus{1'000}}));                // of no weight
  CHECK(refused({.gpus = Gpus{1'500}, .weight = 1}));   // neither part nor whole
  CHECK(refused({.gpus = Gpus{33'000}, .weight = 1}));  // larger than any node
  CHECK(refused({.gpus = Gpus{-1}, .weight = 1}));
  CHECK(refused({.gpus = Gpus{500}, .models = 1u << 9, .weight = 1}));  // an unknown model
}

}  // namespace
}  // namespace tenbin
