#include "base/small_vector.h"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "base/rng.h"

namespace tenbin {
namespace {

using Small = SmallVector<int, 2>;

std::vector<int> items(const Small& v) {
  return {v.begin(), v.end()};
}

TEST_CASE("it grows from its inside to the heap and keeps its order") {
  Small v;
  CHECK(v.empty());
  for (int i = 1; i <= 5; ++i) v.push_back(i);
  CHECK(items(v) == std::vector{1, 2, 3, 4, 5});
  CHECK(v.back() == 5);
  v.pop_back();
  v[0] = 9;
  CHECK(items(v) == std::vector{9, 2, 3, 4});
  v.clear();
  CHECK(v.empty());
}

TEST_CASE("an item of its own may be pushed") {
  Small v;
  v.push_back(1);
  v.push_back(2);
  v.push_back(v[0]);  // moves to the heap meanwhile
  CHECK(items(v) == std::vector{1, 2, 1});
}

TEST_CASE("copies are apart, moves leave nothing behind") {
  for (const int size : {0, 1, 2, 3, 10}) {
    CAPTURE(size);
    Small v;
    for (int i = 0; i < size; ++i) v.push_back(i);
    const std::vector<int> before = items(v);

    Small copy = v;
    CHECK(copy == v);
    copy.push_back(99);
    CHECK(items(v) == before);

    Small moved = std::move(v);
    CHECK(items(moved) == before);
    copy = std::move(moved);
    CHECK(items(copy) == before);
  }
}

TEST_CASE("any assignment over any other") {
  Rng rng{3};
  Small to;
  for (int step = 0; step < 2'000; ++step) {
    std::vector<int> wanted(rng.below(6));
    for (int& item : wanted) item = static_cast<int>(rng.below(100));
    const Small from{std::span<const int>{wanted}};
    if (rng.chance(500'000)) {
      to = from;
    } else {
      to.assign(wanted);
    }
    REQUIRE(items(to) == wanted);
  }
}

}  // namespace
}  // namespace tenbin
