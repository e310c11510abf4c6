#include "core/fleet/room.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"

// Where jobs lie, in a pool of nodes with 8 GPUs each.

namespace tenbin {
namespace {

constexpr PoolId pool_id{1};

struct Fleet {
  World world;
  Instant now{};

  explicit Fleet(std::uint32_t nodes, Cpus cpus = {}, Memory memory = {}) {
    tell(SetPolicy{{.backfill = Backfill::none}});  // room is found the same, ends are not kept
    tell(DeclareProvider{"p", ""});
    tell(DeclareRegion{"r", ""});
    tell(DeclarePool{.name = "pool",
                     .provider = "p",
                     .region = "r",
                     .gpu_model = "gpu",
                     .gpus_per_node = 8,
                     .cpus = cpus,
                     .memory = memory});
    for (std::uint32_t n = 1; n <= nodes; ++n)
      tell(DeclareNode{"n" + std::to_string(n), "pool", 0});
  }
  void tell(const Command& command) {
    Facts facts;
    REQUIRE(apply(world, {.command = command}, now, facts).has_value());
  }
  Pool& pool() { return world.pools.at(pool_id); }

  /// Where `shape` would lie; empty if there is no room.
  Slices room(const Shape& shape, std::span<const NodeId> avoid = {}) {
    Slices slices;
    if (!find_room(world, pool(), shape, avoid, slices)) slices.clear();
    return slices;
  }
  /// Puts it there.
  Job place(const Shape& shape) {
    Job job;
    job.shape = shape;
    job.slices.assign(room(shape).span());
    REQUIRE(!job.slices.empty());
    take(world, pool(), job);
    return job;
  }
};

Shape gang(std::uint32_t members, std::int64_t milli) {
  return {.members = members, .gpus = Gpus{milli}};
}
Shape count(std::int64_t gpus) {
  return {.packing = Packing::count, .gpus = Gpus{gpus * 1'000}};
}

template <std::uint32_t N>
bool same(const SmallVector<Slice, N>& slices, std::initializer_list<Slice> expected) {
  return std::ranges::equal(slices, expected);
}

TEST_CASE("best fit: the fullest node that has room, the lowest of those") {
  Fleet fleet(3);
  fleet.place(gang(1, 4'000));  // node 1: 4 free
  fleet.place(gang(1, 6'000));  // node 2: 2 free
  CHECK(same(fleet.room(gang(1, 2'000)), {{NodeId{2}, 0b1100'0000, 0}}));
  CHECK(same(fleet.room(gang(1, 3'000)), {{NodeId{1}, 0b0111'0000, 0}}));
  CHECK(same(fleet.room(gang(1, 5'000)), {{NodeId{3}, 0b0001'1111, 0}}));
  CHECK(fleet.room(gang(2, 8'000)).empty());
}

TEST_CASE("each member of a gang has a node of its own") {
  Fleet fleet(3);
  fleet.place(gang(1, 4'000));
  CHECK(same(
      fleet.room(gang(3, 4'000)),
      {{NodeId{1}, 0b1111'0000, 0}, {NodeId{2}, 0b0000'1111, 0}, {NodeId{3}, 0b0000'1111, 0}}));
  CHECK(fleet.room(gang(4, 1'000)).empty());
  CHECK(fleet.room(gang(3, 5'000)).empty());
}

TEST_CASE("fractions share a device, the fullest that has room") {
  Fleet fleet(2);
  CHECK(same(fleet.place(gang(1, 500)).slices, {{NodeId{1}, 1, 500}}));
  CHECK(same(fleet.place(gang(1, 300)).slices, {{NodeId{1}, 1, 300}}));
  CHECK(same(fleet.room(gang(1, 200)), {{NodeId{1}, 1, 200}}));
  // 250 does not fit beside them: another device, of the node that is in use already.
  const Job quarter = fleet.place(gang(1, 250));
  CHECK(same(quarter.slices, {{NodeId{1}, 2, 250}}));
  // Two members do not share a node.
  CHECK(same(fleet.room(gang(2, 200)), {{NodeId{1}, 1, 200}, {NodeId{2}, 1, 200}}));

  give_back(fleet.world, fleet.pool(), quarter);
  CHECK(fleet.world.nodes.at(NodeId{1}).free_mask == 0b1111'1110);
  CHECK(fleet.pool().free == Gpus{16'000 - 800});
}

TEST_CASE("a bare count of 12 on nodes of 8 is 8 and 4") {
  Fleet fleet(3);
  fleet.place(gang(1, 4'000));
  // The rest goes where it fits best: beside the 4 on node 1.
  CHECK(same(fleet.room(count(12)), {{NodeId{2}, 0xFF, 0}, {NodeId{1}, 0b1111'0000, 0}}));
  CHECK(same(fleet.room(count(8)), {{NodeId{2}, 0xFF, 0}}));
  CHECK(same(fleet.room(count(20)),
             {{NodeId{2}, 0xFF, 0}, {NodeId{3}, 0xFF, 0}, {NodeId{1}, 0b1111'0000, 0}}));
  fleet.place(gang(1, 1'000));  // 19 are free, but the rest of 4 has no node left
  CHECK(fleet.room(count(20)).empty());
  CHECK(same(fleet.room(count(19)),
             {{NodeId{2}, 0xFF, 0}, {NodeId{3}, 0xFF, 0}, {NodeId{1}, 0b1110'0000, 0}}));
}

TEST_CASE("CPUs and memory bind as GPUs do") {
  Fleet fleet(2, Cpus{64'000}, Memory{1'000});
  Shape greedy = gang(1, 1'000);
  greedy.cpus = Cpus{60'000};
  fleet.place(greedy);
  Shape modest = gang(1, 1'000);
  modest.cpus = Cpus{8'000};
  CHECK(same(fleet.room(modest), {{NodeId{2}, 1, 0}}));  // best fit would be node 1
  modest.cpus = Cpus{4'000};
  CHECK(same(fleet.room(modest), {{NodeId{1}, 2, 0}}));
  modest.memory = Memory{1'001};
  CHECK(fleet.room(modest).empty());
  CHECK_FALSE(fits_empty(fleet.pool(), modest));
}

TEST_CASE("drained and avoided nodes take nothing new") {
  Fleet fleet(2);
  const Job job = fleet.place(gang(1, 2'000));
  fleet.tell(DrainNode{"n1"});
  CHECK(fleet.pool().free == Gpus{8'000});
  CHECK(same(fleet.room(gang(1, 2'000)), {{NodeId{2}, 0b11, 0}}));
  CHECK(fleet.room(gang(2, 1'000)).empty());

  give_back(fleet.world, fleet.pool(), job);  // what ran there ends
  CHECK(fleet.pool().free == Gpus{8'000});
  fleet.tell(ResumeNode{"n1"});
  CHECK(fleet.pool().free == Gpus{16'000});
  const NodeId first{1};
  CHECK(same(fleet.room(gang(1, 2'000), {&first, 1}), {{NodeId{2}, 0b11, 0}}));
}

TEST_CASE("what could run if nothing else did") {
  Fleet fleet(3);
  CHECK(fits_empty(fleet.pool(), gang(3, 8'000)));
  CHECK_FALSE(fits_empty(fleet.pool(), gang(4, 1'000)));
  CHECK_FALSE(fits_empty(fleet.pool(), gang(1, 9'000)));
  CHECK(fits_empty(fleet.pool(), count(24)));
  CHECK_FALSE(fits_empty(fleet.pool(), count(25)));
}

// Method: random shapes come and go, and nodes drain and resume; what is given never overlaps (the
// nodes themselves assert it), and everything is free again at the end.
TEST_CASE("what is given back is as it was") {
  Rng rng{5};
  Fleet fleet(20);
  std::vector<Job> jobs;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t kind = rng.below(10);
    if (kind == 0) {
      const std::string name = "n" + std::to_string(1 + rng.below(20));
      rng.chance(300'000) ? fleet.tell(DrainNode{name}) : fleet.tell(ResumeNode{name});
    } else if (kind < 5 && !jobs.empty()) {
      const std::size_t i = rng.below(jobs.size());
      give_back(fleet.world, fleet.pool(), jobs[i]);
      jobs[i] = jobs.back();
      jobs.pop_back();
    } else {
      Shape shape = count(1 + static_cast<std::int64_t>(rng.below(30)));
      if (rng.chance(600'000)) {
        shape = gang(1 + static_cast<std::uint32_t>(rng.below(3)),
                     rng.chance(500'000) ? 1 + static_cast<std::int64_t>(rng.below(999))
                                         : 1'000 * (1 + static_cast<std::int64_t>(rng.below(8))));
      }
      if (!fleet.room(shape).empty()) jobs.push_back(fleet.place(shape));
    }
    REQUIRE(fleet.pool().free >= Gpus{0});
  }
  for (const Job& job : jobs) give_back(fleet.world, fleet.pool(), job);
  for (int n = 1; n <= 20; ++n) fleet.tell(ResumeNode{"n" + std::to_string(n)});
  CHECK(fleet.pool().free == Gpus{20 * 8'000});
  CHECK(sound(fleet.world));
}

}  // namespace
}  // namespace tenbin
