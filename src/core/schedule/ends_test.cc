#include "core/schedule/ends.h"

#include <doctest/doctest.h>

#include <map>

#include "base/rng.h"

namespace tenbin {
namespace {

TEST_CASE("when have n GPUs come free?") {
  Ends ends;
  ends.insert(Instant{100}, Gpus{4'000});
  ends.insert(Instant{200}, Gpus{2'000});
  ends.insert(Instant{200}, Gpus{1'000});
  ends.insert(Instant{300}, Gpus{8'000});

  // One is free now. Five are at 100, six only at 200, when another three come with them.
  CHECK(ends.shadow(Gpus{5'000}, Gpus{1'000}).at == Instant{100});
  const Ends::Shadow six = ends.shadow(Gpus{6'000}, Gpus{1'000});
  CHECK(six.found);
  CHECK(six.at == Instant{200});
  CHECK(six.free == Gpus{8'000});  // all that end at that very instant
  CHECK_FALSE(ends.shadow(Gpus{17'000}, Gpus{1'000}).found);
}

// Method: random insertions and removals, many at equal instants, against std::map.
TEST_CASE("the blocks are a sorted list") {
  Rng rng{11};
  Ends ends;
  std::multimap<std::int64_t, std::int64_t> oracle;
  for (int step = 0; step < 40'000; ++step) {
    const std::uint64_t target = step < 20'000 ? 900 : 5;
    const std::uint64_t instants = step % 2'000 < 1'000 ? 300 : 1'000'000;
    if (oracle.empty() || rng.below(2 * target) >= oracle.size()) {
      const auto at = static_cast<std::int64_t>(rng.below(instants));
      const std::int64_t gpus = 1 + static_cast<std::int64_t>(rng.below(16));
      ends.insert(Instant{at}, Gpus{gpus});
      oracle.emplace(at, gpus);
    } else {
      auto some = oracle.lower_bound(static_cast<std::int64_t>(rng.below(instants)));
      if (some == oracle.end()) some = oracle.begin();
      ends.erase(Instant{some->first}, Gpus{some->second});
      oracle.erase(some);
    }
    if (step % 50 != 0) continue;

    std::map<std::int64_t, std::int64_t> sums;
    std::int64_t all = 0;
    for (const auto& [at, gpus] : oracle) {
      sums[at] += gpus;
      all += gpus;
    }
    auto expected = sums.begin();
    ends.each([&](Instant at, Gpus gpus) {
      REQUIRE(expected != sums.end());
      REQUIRE(at.ms == expected->first);
      REQUIRE(gpus.count == (expected++)->second);
    });
    REQUIRE(expected == sums.end());

    const std::int64_t need =
        1 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(all) + 20));
    std::int64_t free = 0;
    auto until = sums.begin();
    while (free < need && until != sums.end()) free += (until++)->second;
    const Ends::Shadow shadow = ends.shadow(Gpus{need}, Gpus{0});
    REQUIRE(shadow.found == (free >= need));
    if (!shadow.found) continue;
    REQUIRE(shadow.at.ms == std::prev(until)->first);
    REQUIRE(shadow.free.count == free);
  }
}

}  // namespace
}  // namespace tenbin
