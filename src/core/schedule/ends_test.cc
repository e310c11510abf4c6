#include "core/schedule/ends.h"

#include <doctest/doctest.h>

#include <set>

#include "base/rng.h"

namespace tenbin {
namespace {

Ends::End end_at(std::int64_t ms, std::uint64_t job, std::int64_t gpus) {
  return {Instant{ms}, JobId{job}, Gpus{gpus * 1'000}};
}

TEST_CASE("when have n GPUs come free?") {
  Ends ends;
  ends.insert(end_at(100, 1, 4));
  ends.insert(end_at(200, 2, 2));
  ends.insert(end_at(200, 3, 1));
  ends.insert(end_at(300, 4, 8));

  // One is free now. Five are at 100, six only at 200, when another three come with them.
  CHECK(ends.shadow(Gpus{5'000}, Gpus{1'000}).at == Instant{100});
  const Ends::Shadow six = ends.shadow(Gpus{6'000}, Gpus{1'000});
  CHECK(six.found);
  CHECK(six.at == Instant{200});
  CHECK(six.free == Gpus{8'000});  // all that end at that very instant
  CHECK_FALSE(ends.shadow(Gpus{17'000}, Gpus{1'000}).found);
}

// Method: random insertions and removals, many at equal instants, against std::multiset.
TEST_CASE("the blocks are a sorted list") {
  struct Later {
    bool operator()(const Ends::End& a, const Ends::End& b) const { return a < b; }
  };
  Rng rng{11};
  Ends ends;
  std::multiset<Ends::End, Later> oracle;
  std::uint64_t job = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t target = step < 10'000 ? 500 : 5;
    if (oracle.empty() || rng.below(2 * target) >= oracle.size()) {
      const Ends::End end = end_at(static_cast<std::int64_t>(rng.below(300)), ++job,
                                   1 + static_cast<std::int64_t>(rng.below(16)));
      ends.insert(end);
      oracle.insert(end);
    } else {
      auto some = oracle.lower_bound(end_at(static_cast<std::int64_t>(rng.below(300)), 0, 0));
      if (some == oracle.end()) some = oracle.begin();
      ends.erase(*some);
      oracle.erase(some);
    }
    REQUIRE(ends.size() == oracle.size());
    if (step % 50 != 0) continue;

    auto expected = oracle.begin();
    ends.each([&](const Ends::End& end) {
      REQUIRE(end.job == (expected++)->job);
      return true;
    });
    const Gpus free{static_cast<std::int64_t>(rng.below(8)) * 1'000};
    const Gpus need = free + Gpus{1'000 * (1 + static_cast<std::int64_t>(rng.below(4'000)))};
    Gpus sum = free;
    auto reached = oracle.begin();
    while (reached != oracle.end() && sum < need) sum += (reached++)->gpus;
    const Ends::Shadow shadow = ends.shadow(need, free);
    REQUIRE(shadow.found == (sum >= need));
    if (!shadow.found) continue;
    const Instant at = std::prev(reached)->at;
    for (; reached != oracle.end() && reached->at == at; ++reached) sum += reached->gpus;
    REQUIRE(shadow.at == at);
    REQUIRE(shadow.free == sum);
  }
}

}  // namespace
}  // namespace tenbin
